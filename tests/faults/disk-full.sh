# The file system of the data folder is full for 20 seconds. Needs loop devices.
prepare() { size=$((3000 + 15 * tenants))M; }
fault() {
    fault_begins
    # As much as there is, then the last blocks.
    local free
    free=$(df --output=avail -B1 "$data" | tail -1)
    fallocate -l "$free" "$data/filler" || true
    dd if=/dev/zero of="$data/filler.rest" bs=4k 2>/dev/null || true
    say "  free: $(df --output=avail -B1 "$data" | tail -1) bytes"
    sleep 20
    rm -f "$data/filler" "$data/filler.rest"
    fault_is_over
}
