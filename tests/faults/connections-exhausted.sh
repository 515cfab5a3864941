# Somebody else takes all of PostgreSQL's connections for 20 seconds, those kept for the superuser too.
fault() {
    fault_begins
    local taken=()
    echo 'select pg_sleep(1)' >"$folder/sleep.sql"
    for _ in $(seq 80); do
        setsid pgbench -n -h "$(socket_folder)" -U postgres -f "$folder/sleep.sql" -c 5 -T 600 postgres >/dev/null 2>&1 &
        taken+=($!)
    done
    sleep 2
    # Single ones, for what is left of five.
    for _ in $(seq 8); do
        setsid pgbench -n -h "$(socket_folder)" -U postgres -f "$folder/sleep.sql" -c 1 -T 600 postgres >/dev/null 2>&1 &
        taken+=($!)
    done
    sleep 18
    say "  PostgreSQL has $(backends) processes"
    kill "${taken[@]}" 2>/dev/null || true
    fault_is_over
}
