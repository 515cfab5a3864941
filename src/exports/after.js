// After each request of the collection: checks the answer.
if (pm.request.method === 'GET') {
    pm.test('is answered', () => pm.expect(pm.response.code).to.equal(200));
} else {
    const problem = (pm.response.headers.get('Content-Type') || '').startsWith('application/problem+json');
    pm.test('is answered, or refused with a reason', () => {
        pm.expect(pm.response.code).to.be.below(500);
        pm.expect(pm.response.code < 400 || problem).to.equal(true);
    });
}
