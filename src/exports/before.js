// Before each request of the collection: finds the id of a row, then signs.
const url = pm.request.url;
const method = pm.request.method.toUpperCase();

// The scripts that run after requests remember rows under the path of their table.
const id = url.variables && url.variables.one('id');
if (id && id.value === '{{row_id}}') {
    const rows = '/' + url.path.slice(0, -1).join('/');
    const known = pm.collectionVariables.get((method === 'GET' ? 'listed ' : 'made ') + rows);
    pm.variables.set('row_id', known || '');
    if (!known && method !== 'GET') {
        console.log('No row: fill in its id under Params, or run Create first.');
        if (pm.execution && pm.execution.skipRequest) pm.execution.skipRequest();
    }
}

const secret = pm.variables.get('hmac_secret');
if (secret) {
    const CryptoJS = require('crypto-js');
    // What goes over the wire: variables and the id filled in, disabled parameters left out, and
    // what an address can't hold percent-encoded.
    const escape = (text, unsafe) => text.replace(unsafe, (c) => encodeURIComponent(c).replace(/'/g, '%27'));
    const whole = pm.variables.replaceIn(url.toString());
    const target = whole.replace(/^[a-z][a-z0-9+.-]*:\/\//i, '').replace(/^[^\/?#]*/, '').split('#')[0];
    const cut = target.indexOf('?');
    let path = cut < 0 ? target : target.slice(0, cut);
    if (id) path = path.replace(/\/:id$/, () => '/' + pm.variables.replaceIn(String(id.value)));
    path = escape(path, /[\s"<>`{}^|\\]|[^\x20-\x7e]+/g) || '/';
    const query = cut < 0 ? '' : escape(target.slice(cut + 1), /[\s"'<>]|[^\x20-\x7e]+/g);
    const body = pm.request.body && pm.request.body.raw ? pm.variables.replaceIn(pm.request.body.raw) : '';
    const timestamp = Math.floor(Date.now() / 1000).toString();
    const canonical = [method, path, query, CryptoJS.SHA256(body).toString(), timestamp].join('\n');
    pm.request.headers.upsert({ key: 'X-Timestamp', value: timestamp });
    pm.request.headers.upsert({ key: 'X-Signature', value: CryptoJS.HmacSHA256(canonical, secret).toString() });
}
