#!/bin/sh
# Writes lists.conf: what stands in a setting as a list, which the templates cannot say since envsubst knows no loops, and how
# stream-gateway is reached, which depends on this nginx.
# Compose: run by the public image's entry point. `make demo`: by deploy/embedded/nginx.py, which names the folder.
set -euf
folder=${1:-/etc/nginx/conf.d}

refuse() { # name, item, what it should be
    echo "lectern: $1 holds '$2': it should be $3." >&2
    exit 78 # sysexits.h: configuration error
}

items() { # a comma-separated list, one item a line
    printf '%s\n' "$1" | tr ', \t' '\n\n\n' | sed '/^$/d'
}

proxies=$(items "${LECTERN_TRUSTED_PROXIES:-}")
origins=$(items "${LECTERN_ALLOWED_ORIGINS:-}" | sed -e 's:/$::' -e 's/^\(http:.*\):80$/\1/' -e 's/^\(https:.*\):443$/\1/')

byte='(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])'
for network in $proxies; do
    echo "$network" | grep -Eqx "($byte\.){3}$byte(/([0-9]|[12][0-9]|3[0-2]))?|[0-9A-Fa-f.]*:[0-9A-Fa-f.:]+(/([0-9]|[1-9][0-9]|1[01][0-9]|12[0-8]))?" ||
        refuse LECTERN_TRUSTED_PROXIES "$network" 'a comma-separated list of IP networks such as 10.0.0.0/8'
done
for origin in $origins; do
    echo "$origin" | grep -Eqx 'https?://[][A-Za-z0-9.:-]+' ||
        refuse LECTERN_ALLOWED_ORIGINS "$origin" 'a comma-separated list of origins such as https://app.example.org'
done

# Connections to stream-gateway are kept, since a request a segment costs little more than a connection would. That takes an
# upstream block, and a name in one is looked up again only from nginx 1.27.3 on: older ones ask by name each time, without keeping.
gateway=${LECTERN_STREAM_UPSTREAM:-127.0.0.1:8002}
looked_up_again() {
    have=$(nginx -v 2>&1 | sed -n 's|^nginx version: nginx/\([0-9.]*\).*|\1|p')
    [ "$(printf '%s\n' 1.27.3 "$have" | sort -V | head -n 1)" = 1.27.3 ]
}
if echo "$gateway" | grep -Eqx '[0-9.]+:[0-9]+|\[[0-9A-Fa-f:]+\]:[0-9]+'; then
    server="server $gateway;"
elif looked_up_again; then
    server="zone lectern_stream 64k; server $gateway resolve;"
else
    server=
fi

{
    echo '# Written by 25-lectern-lists.sh from LECTERN_TRUSTED_PROXIES and LECTERN_ALLOWED_ORIGINS.'
    for network in $proxies; do
        echo "set_real_ip_from $network;"
    done
    echo 'geo $realip_remote_addr $from_trusted_proxy {'
    echo '    default 0;'
    for network in $proxies; do
        echo "    $network 1;"
    done
    echo '}'
    echo 'map $http_origin $allowed_origin {'
    echo '    default "";'
    for origin in $origins; do
        echo "    \"$origin\" \$http_origin;"
    done
    echo '}'
    if [ -n "$server" ]; then
        # Shorter than the gateway keeps its own (stream_gateway/__main__.py), so that no request meets a connection that ends.
        echo "upstream lectern_stream { $server keepalive 64; keepalive_timeout 60s; keepalive_requests 100000; }"
        gateway=lectern_stream
    fi
    echo "map \$host \$stream_upstream { default \"$gateway\"; }"
    echo "map \$host \$connection_to_stream { default \"$([ -n "$server" ] || echo close)\"; }"
} >"$folder/lists.conf"
