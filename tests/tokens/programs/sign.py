"""Signs a request as a client in Python would. Arguments: base URL, token, secret, method, target, body."""
import hashlib
import hmac
import sys
import time
import urllib.error
import urllib.request

base, token, secret, method, target, body = sys.argv[1:]
path, _, query = target.partition("?")
raw = body.encode("utf-8")
stamp = "%d" % time.time()
lines = [method, path, query, hashlib.sha256(raw).hexdigest(), stamp]
request = urllib.request.Request(base + target, data=raw or None, method=method)
request.add_header("Authorization", "Bearer " + token)
request.add_header("Content-Type", "application/json")
request.add_header("X-Timestamp", stamp)
request.add_header("X-Signature", hmac.new(secret.encode(), "\n".join(lines).encode(), "sha256").hexdigest())
try:
    answer = urllib.request.urlopen(request)
except urllib.error.HTTPError as refused:
    answer = refused
sys.stdout.buffer.write(b"%d\n" % answer.status + answer.read())
