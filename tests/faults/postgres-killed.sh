# All of PostgreSQL is killed (SIGKILL): the server has to start it again, and PostgreSQL to recover.
fault() {
    fault_begins
    local first
    first=$(postmaster)
    kill -KILL "$first" $(pgrep -P "$first")
    fault_is_over
}
