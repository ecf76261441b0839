#!/bin/sh
# Makes Lectern's database roles, or gives them the passwords that are now in this container's secrets.
set -eu
for role in core_owner core stream_owner stream chat_owner chat; do
  name=LECTERN_$(printf %s "$role" | tr '[:lower:]' '[:upper:]')_PASSWORD
  export "$name=$(cat "/run/secrets/${role}_password")"
done
PGPASSWORD=$(cat /run/secrets/superuser_password)
export PGPASSWORD
psql --no-psqlrc --quiet -v ON_ERROR_STOP=1 -h postgres -U postgres -d lectern -f /usr/local/share/lectern/roles.sql >/dev/null
echo "lectern: database roles are in place"
