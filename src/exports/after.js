// After each request of the collection: remembers a row that was made, and checks the answer.
const location = pm.response.headers.get('Location');
if (pm.request.method === 'POST' && pm.response.code === 201 && location) {
    const rows = '/' + pm.request.url.path.join('/');
    pm.collectionVariables.set('made ' + rows, location.split('/').pop());
}

if (pm.request.method === 'GET') {
    pm.test('is answered', () => pm.expect(pm.response.code).to.equal(200));
} else {
    const problem = (pm.response.headers.get('Content-Type') || '').startsWith('application/problem+json');
    pm.test('is answered, or refused with a reason', () => {
        pm.expect(pm.response.code).to.be.below(500);
        pm.expect(pm.response.code < 400 || problem).to.equal(true);
    });
}
