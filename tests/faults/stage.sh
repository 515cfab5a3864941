# The stage of a fault: the server, the load, and what is said about both. Sourced by `run`.

say() { printf '%s  %s\n' "$(date +%T)" "$*" | tee -a "$folder/told"; }

# Runs a command when all is over, the last one first.
later() { undo=("$*" "${undo[@]}"); }

start_stage() {
    data=$folder/data
    mkdir -p "$data"
    chmod 711 "$data"
    if [ -n "$size" ]; then
        # A file system of its own, so that filling it harms nobody.
        truncate -s "$size" "$folder/disk"
        mkfs.ext4 -q -F -m 0 "$folder/disk"
        mount -o loop "$folder/disk" "$data"
        later "umount -l '$data'; rm -f '$folder/disk'"
        chmod 711 "$data"
    fi
    start_server 127.0.0.1:0
    address=${url#http://}
    mark_soak=$folder/soak.err
    "$soak" soak --url "$url" --tenants "$tenants" --clients 16 --rate "$rate" --seconds 86400 --json \
        >"$folder/soak.json" 2>"$mark_soak" &
    load=$!
    until grep -q 'tenants are there' "$mark_soak"; do
        kill -0 "$load" 2>/dev/null || { cat "$mark_soak"; exit 1; }
        sleep 0.5
    done
    say "load: $tenants tenants, $rate calls a second"
}

# Starts the server at an address and waits until it listens.
start_server() {
    : >"$folder/out"
    env "${variables[@]}" "$server" serve --listen "$1" --data-dir "$data/sandlot" --ip-rate 1000000 --token-rate 1000000 \
        --sign-in-rate 1000000 --register-rate 1000000 --log-format text "${arguments[@]}" \
        >"$folder/out" 2>>"$folder/server.log" &
    process=$!
    # However long it takes: recovery after many sign-ups can be minutes on a slow disk.
    until grep -q '^listening on ' "$folder/out"; do
        kill -0 "$process" 2>/dev/null || { tail -5 "$folder/server.log"; exit 1; }
        sleep 0.1
    done
    url=$(sed -n 's/^listening on //p' "$folder/out")
}

# The own PostgreSQL's first process.
postmaster() { head -1 "$(cluster)/postmaster.pid"; }
cluster() {
    # Beside the data folder if PostgreSQL's user can't reach that.
    if [ -f "$data/sandlot/postgres.folder" ]; then echo "$(cat "$data/sandlot/postgres.folder")/postgres"; else echo "$data/sandlot/postgres"; fi
}
socket_folder() { sed -n 5p "$(cluster)/postmaster.pid"; }
backends() { pgrep -P "$(postmaster)" | wc -l; }

# Told to the load, which says in the end how long each took; a fault may be several.
fault_begins() { marked+=("${1:-$fault}"); kill -USR1 "$load"; }
fault_is_over() { kill -USR2 "$load"; }

numbers() {
    local memory files
    memory=$(awk '/VmRSS/ {print int($2 / 1024)}' "/proc/$process/status")
    files=$(ls "/proc/$process/fd" | wc -l)
    say "$1: server $memory MB, $files file descriptors, PostgreSQL $(backends 2>/dev/null || echo ?) processes"
}

# Ends the load, prints its figures, and fails if something was wrong.
judge() {
    kill -INT "$load"
    local status=0
    wait "$load" || status=$?
    grep WRONG "$mark_soak" | head -20 || true
    jq -r '"\(.good) good answers in \(.seconds) s, \(.rate * 10 | round / 10) a second; wrong \(.wrong), undecided \(.undecided); \(.rows) rows as written; \(.repeated) repeated writes made once",
        "refused \(.refused), unanswered \(.unanswered)",
        "p99 in ms: \(.calls | map_values(.p99 * 10 | round / 10))"' "$folder/soak.json" | tee -a "$folder/told"
    local at=0 name
    for name in "${marked[@]}"; do
        jq -r --arg name "$name" --argjson at $at '.faults[$at] | "\($name): \(.to - .from) s, \(.rate_before * 10 | round / 10) a second before it, \(.silent) s without an answer, old rate back after \(.back_after) s; p99 \(.p99_before | round) ms before it, \(.p99_during | round) ms meanwhile"' \
            "$folder/soak.json" | tee -a "$folder/told"
        at=$((at + 1))
    done
    jq -e '[.faults[] | select(.back_after == null or .back_after > 10)] == []' "$folder/soak.json" >/dev/null ||
        { say 'FAILED: the old rate was not back 10 seconds after a fault'; status=1; }
    [ "$status" = 0 ] && say 'held' || say 'FAILED'
    return "$status"
}

end_stage() {
    local status=$?
    set +e
    # Where a fault could not be done, what was seen until then is said all the same.
    if kill -INT "$load" 2>/dev/null; then
        wait "$load"
        jq -c '{seconds, good, wrong, undecided, rows, refused, unanswered}' "$folder/soak.json"
    fi
    kill "$process" 2>/dev/null
    wait "$process" 2>/dev/null
    for command in "${undo[@]}"; do eval "$command"; done
    [[ $folder == /tmp/sandlot-faults-?????? ]] && rm -rf "$folder"
    exit "$status"
}
