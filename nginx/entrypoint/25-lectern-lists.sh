#!/bin/sh
# Writes lists.conf: what stands in a setting as a list, which the templates cannot say since envsubst knows no loops.
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

for network in $proxies; do
    echo "$network" | grep -Eqx '[0-9A-Fa-f.:]{2,}(/[0-9]{1,3})?' ||
        refuse LECTERN_TRUSTED_PROXIES "$network" 'a comma-separated list of IP networks such as 10.0.0.0/8'
done
for origin in $origins; do
    echo "$origin" | grep -Eqx 'https?://[][A-Za-z0-9.:-]+' ||
        refuse LECTERN_ALLOWED_ORIGINS "$origin" 'a comma-separated list of origins such as https://app.example.org'
done

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
} >"$folder/lists.conf"
