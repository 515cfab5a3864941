# The server is killed (SIGKILL) and started again a second later, as whatever looks after it would do.
fault() {
    fault_begins
    kill -KILL "$process"
    wait "$process" 2>/dev/null || true
    sleep 1
    start_server "$address"
    fault_is_over
}
