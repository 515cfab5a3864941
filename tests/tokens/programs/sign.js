// Signs a request as a client in Node would. Arguments: base URL, token, secret, method, target, body.
const { createHash, createHmac } = require('node:crypto');
const http = require('node:http');

const [base, token, secret, method, target, body] = process.argv.slice(2);
const [path, query = ''] = target.split(/\?(.*)/s);
const stamp = String(Math.trunc(Date.now() / 1000));
const digest = createHash('sha256').update(body, 'utf8').digest('hex');
const signature = createHmac('sha256', secret)
    .update(`${method}\n${path}\n${query}\n${digest}\n${stamp}`)
    .digest('hex');

const { hostname, port } = new URL(base);
const headers = {
    Authorization: `Bearer ${token}`,
    'Content-Type': 'application/json',
    'X-Timestamp': stamp,
    'X-Signature': signature,
};
if (body) headers['Content-Length'] = Buffer.byteLength(body);
const request = http.request({ hostname, port, method, path: target, headers }, (answer) => {
    process.stdout.write(`${answer.statusCode}\n`);
    answer.pipe(process.stdout);
});
request.end(body);
