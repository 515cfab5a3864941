# All of PostgreSQL stands still for 20 seconds (SIGSTOP): nothing is refused by it, and nothing answered.
fault() {
    fault_begins
    local first frozen
    first=$(postmaster)
    frozen="$first $(pgrep -P "$first")"
    kill -STOP $frozen
    sleep 20
    # Those that were begun meanwhile by nobody: a stopped first process starts none.
    kill -CONT $frozen
    fault_is_over
}
