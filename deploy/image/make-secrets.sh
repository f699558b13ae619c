#!/bin/sh
# Makes the secrets that docker-compose.federated.yml mounts, one a file: deploy/image/make-secrets.sh <folder>
# A secret that is there stays as it is.
set -eu
umask 077
folder="${1:?usage: make-secrets.sh <folder>}"
mkdir -p "$folder"
# Compose mounts the files with the owner and mode they have here, and each container has a user of its own: so they are
# readable, in a folder that nobody else can enter.
chmod 0700 "$folder"
for name in auth-secret seal-key postgresql-password postgresql-owner-password postgresql-superuser-password \
  valkey-password; do
  if [ ! -s "$folder/$name" ]; then
    openssl rand -hex 32 >"$folder/.$name"
    chmod 0444 "$folder/.$name"
    mv "$folder/.$name" "$folder/$name"
  fi
done
