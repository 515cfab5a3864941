# One tenant at full tilt for 60 seconds: locks that are held, a sort of a billion rows, temporary files, and as
# many connections as it can get, by HTTP and by PostgreSQL's own protocol.
prepare() { arguments+=(--direct-listen 127.0.0.1:0); }
fault() {
    local person key token direct clients
    person="{\"email\": \"hostile$SECONDS@mail.example\", \"password\": \"correct horse\"}"
    key=$(curl -s "$url/api/register" -H 'content-type: application/json' -d "$person" | jq -r .tenant.api_key)
    until curl -s "$url/api/tenant" -H "api-key: $key" | grep -q '"ready"'; do sleep 0.2; done
    token=$(curl -s "$url/api/auth/token" -H "api-key: $key" -H 'content-type: application/json' -d "$person" | jq -r .access_token)
    direct=$(curl -s "$url/api/tenant/connection" -H "api-key: $key" -H "authorization: Bearer $token" | jq -r .url)
    fault_begins
    # Whoever calls would do so from another machine, and not take this one's processors from the server: in a
    # session of their own, since the kernel shares processors out among sessions first (autogroup), and on the
    # last processor, where the sessions are that they keep busy.
    url=$url address=$address key=$key token=$token direct=$direct \
        setsid taskset -c $(($(nproc) - 1)) nice -n 19 bash -c "$(declare -f hostile_programs); hostile_programs" 2>/dev/null &
    clients=$!
    sleep 60
    fault_is_over
    pkill -s "$clients" || true
}
hostile_programs() {
    [ -w /proc/self/autogroup ] && echo 19 >/proc/self/autogroup
    local statement
    for statement in \
        'select a from generate_series(1, 1000000000) a order by a desc' \
        'select a, repeat(md5(a::text), 20) from generate_series(1, 50000000) a order by 2' \
        'lock table clients in access exclusive mode' \
        'select pg_sleep(50)' \
        'select count(*) from clients a, clients b, clients c'; do
        for _ in 1 2 3 4 5 6 7 8; do
            while :; do
                curl -s -m 62 -o /dev/null "$url/api/v1/sql" -H "api-key: $key" -H "authorization: Bearer $token" \
                    -H 'content-type: application/json' -d "{\"query\": \"$statement\"}"
            done &
        done
    done
    # The same past HTTP, as often as it is let in.
    for _ in 1 2 3 4 5 6 7 8; do
        while :; do
            psql "$direct" -qAtc 'select a from generate_series(1, 1000000000) a order by a desc' >/dev/null 2>&1 || sleep 0.1
        done &
    done
    # One that does nothing but connect.
    while :; do
        for _ in {1..50}; do exec {door}<>"/dev/tcp/${address/:/\/}"; done
        sleep 1
    done
}
