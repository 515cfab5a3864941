import { createHash, createHmac } from 'node:crypto';

const sign = (secret, method, path, query = '', body = '') => {
  const timestamp = String(Math.floor(Date.now() / 1000));
  const digest = createHash('sha256').update(body).digest('hex');
  const text = [method, path, query, digest, timestamp].join('\n');
  return {
    'X-Timestamp': timestamp,
    'X-Signature': createHmac('sha256', secret).update(text).digest('hex'),
  };
};

const headers = {
  Authorization: 'Bearer YOUR_TOKEN',
  ...sign('YOUR_HMAC_SECRET', 'GET', '/api/v1/clients', 'per_page=5'),
};
