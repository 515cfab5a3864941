# The network to a PostgreSQL on another machine (a network namespace) is slow for 20 seconds, and later cut for 20.
# Can't be on the same stage as the faults of the own PostgreSQL. Needs ip and tc (iproute2).
db=10.231.7.2 here_address=10.231.7.1 namespace=sandlot-faults
prepare() {
    ip netns add "$namespace"
    later "ip netns del $namespace"
    ip link add sandlot0 type veth peer name sandlot1 netns "$namespace"
    ip addr add "$here_address/30" dev sandlot0
    ip link set sandlot0 up
    in_namespace ip addr add "$db/30" dev sandlot1
    in_namespace ip link set sandlot1 up
    # Addresses stay known while the cable is cut, so that packets vanish and nobody says that they do.
    ip neigh replace "$db" lladdr "$(in_namespace cat /sys/class/net/sandlot1/address)" dev sandlot0 nud permanent
    remote_postgres
    arguments+=(--database-url "postgres://sandlot:secret@$db/sandlot" --tenants-url "postgres://sandlot:secret@$db/sandlot_tenants")
}
in_namespace() { ip netns exec "$namespace" "$@"; }
cluster() { echo "$folder/remote"; }
remote_postgres() {
    local bin
    bin=$(pg_config --bindir)
    install -d -o postgres -m 700 "$folder/remote" "$folder/socket"
    runuser -u postgres -- "$bin/initdb" -D "$folder/remote" -A trust -E UTF8 --locale C.UTF-8 >/dev/null
    echo "host all all $here_address/32 scram-sha-256" >>"$folder/remote/pg_hba.conf"
    in_namespace runuser -u postgres -- "$bin/postgres" -D "$folder/remote" -c listen_addresses="$db" -c max_connections=200 \
        -c max_locks_per_transaction=512 -c unix_socket_directories="$folder/socket" >>"$folder/remote.log" 2>&1 &
    until psql -h "$folder/socket" -U postgres -qc 'select 1' >/dev/null 2>&1; do sleep 0.2; done
    later 'kill "$(postmaster)"; sleep 2'
    psql -h "$folder/socket" -U postgres -q <<'SQL'
create role sandlot login createrole password 'secret';
create database sandlot owner sandlot;
create database sandlot_tenants owner sandlot;
grant pg_signal_backend to sandlot;
grant set on parameter temp_file_limit, log_min_messages, session_replication_role to sandlot;
SQL
}
fault() {
    # 300 kbit a second and a queue of two seconds, in both directions.
    fault_begins network-slow
    tc qdisc add dev sandlot0 root tbf rate 300kbit burst 16kb latency 2s
    in_namespace tc qdisc add dev sandlot1 root tbf rate 300kbit burst 16kb latency 2s
    sleep 20
    tc qdisc del dev sandlot0 root
    in_namespace tc qdisc del dev sandlot1 root
    fault_is_over
    sleep "$rest"
    say 'network-cut'
    fault_begins network-cut
    in_namespace ip link set sandlot1 down
    sleep 20
    in_namespace ip link set sandlot1 up
    fault_is_over
}
