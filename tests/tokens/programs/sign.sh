#!/usr/bin/env bash
# Signs a request as a script would. Arguments: base URL, token, secret, method, target, body.
set -euo pipefail
base=$1 token=$2 secret=$3 method=$4 target=$5 body=$6
path=${target%%\?*}
query=${target#"$path"}
stamp=$(date +%s)
hash=$(printf %s "$body" | sha256sum | cut -d' ' -f1)
signature=$(printf '%s\n%s\n%s\n%s\n%s' "$method" "$path" "${query#\?}" "$hash" "$stamp" |
    openssl dgst -sha256 -hmac "$secret" -r | cut -d' ' -f1)
host=${base#http://}
exec 3<>"/dev/tcp/${host%:*}/${host#*:}"
length=$(printf %s "$body" | wc -c)
printf '%s %s HTTP/1.1\r\nHost: sandlot\r\nConnection: close\r\nContent-Type: application/json\r\n' \
    "$method" "$target" >&3
printf 'Authorization: Bearer %s\r\nX-Timestamp: %s\r\nX-Signature: %s\r\nContent-Length: %s\r\n\r\n%s' \
    "$token" "$stamp" "$signature" "$length" "$body" >&3
answer=$(tr -d '\r' <&3)
printf '%s\n%s' "$(sed -n '1s/HTTP[^ ]* \([0-9]*\).*/\1/p' <<<"$answer")" "$(sed '1,/^$/d' <<<"$answer")"
