secret=YOUR_HMAC_SECRET
method=GET path=/api/v1/clients query='per_page=5' body=
now=$(date +%s)
digest=$(printf %s "$body" | sha256sum | cut -d' ' -f1)
signature=$(printf '%s\n%s\n%s\n%s\n%s' "$method" "$path" "$query" "$digest" "$now" |
    openssl dgst -sha256 -hmac "$secret" -r | cut -d' ' -f1)
curl "https://HOST$path?$query" -H 'Authorization: Bearer YOUR_TOKEN' \
    -H "X-Timestamp: $now" -H "X-Signature: $signature"
