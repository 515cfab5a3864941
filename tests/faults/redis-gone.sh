# The Redis that counts for the limits is killed and comes back 20 seconds later. Needs redis-server.
prepare() {
    redis_again
    later 'kill "$redis" 2>/dev/null'
    arguments+=(--redis-url "unix://$folder/redis.sock")
}
redis_again() {
    redis-server --port 0 --save '' --appendonly no --unixsocket "$folder/redis.sock" --dir "$folder" >/dev/null &
    redis=$!
    until [ -S "$folder/redis.sock" ]; do sleep 0.1; done
}
fault() {
    fault_begins
    kill -KILL "$redis"
    wait "$redis" 2>/dev/null || true
    rm -f "$folder/redis.sock"
    sleep 20
    redis_again
    fault_is_over
}
