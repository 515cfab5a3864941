import hashlib, hmac, time

def sign(secret, method, path, query='', body=b''):
    timestamp = str(int(time.time()))
    digest = hashlib.sha256(body).hexdigest()
    text = '\n'.join([method, path, query, digest, timestamp])
    signature = hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    return {'X-Timestamp': timestamp, 'X-Signature': signature}

headers = {
    'Authorization': 'Bearer YOUR_TOKEN',
    **sign('YOUR_HMAC_SECRET', 'GET', '/api/v1/clients', 'per_page=5'),
}
