# The clock of the server and of its PostgreSQL goes an hour ahead, and 30 seconds later back again. The clock of
# the machine stays: needs libfaketime (apt-get install faketime).
prepare() {
    echo '+0' >"$folder/clock"
    chmod 644 "$folder/clock"
    variables+=(
        LD_PRELOAD=/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1
        FAKETIME_TIMESTAMP_FILE="$folder/clock" FAKETIME_CACHE_DURATION=1 FAKETIME_DONT_FAKE_MONOTONIC=1
        FAKETIME_DONT_RESET=1
    )
}
fault() {
    fault_begins
    echo '+3600' >"$folder/clock"
    say "  the server's clock: $(curl -sI "$url/healthz" | sed -n 's/^date: //Ip')"
    sleep 30
    say "  the server's clock: $(curl -sI "$url/healthz" | sed -n 's/^date: //Ip')"
    echo '+0' >"$folder/clock"
    fault_is_over
}
