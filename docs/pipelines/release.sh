#!/bin/sh
# Publishes the files in a folder as a build, rolls it out, and ends as the rollout does. Both CI services' jobs call it:
#
#     release.sh PRODUCT VERSION FOLDER
#
# HEADRACE_SERVER is the API's URL. Who this is, says HEADRACE_TOKEN; or ID_TOKEN, which the CI service made for that
# URL, and PUBLISHER, the trusted publisher's name. TIMEOUT is how long the rollout is watched, 10m unless named.
set -eu
product=$1 version=$2 folder=$3
api=$HEADRACE_SERVER/api/v1

if [ -z "${HEADRACE_TOKEN:-}" ]; then
  answer=$(jq -n --arg publisher "$PUBLISHER" --arg token "$ID_TOKEN" '{publisher: $publisher, token: $token}' |
    curl -sS --fail-with-body --json @- "$api/exchange") || { echo "$answer" >&2; exit 4; }
  HEADRACE_TOKEN=$(echo "$answer" | jq -r .token)
fi
export HEADRACE_TOKEN

archive=$(mktemp)
trap 'rm -f "$archive"' EXIT
tar -czf "$archive" -C "$folder" .
# From stdin, since others on the machine can read a command's arguments.
printf 'header = "Authorization: Bearer %s"\n' "$HEADRACE_TOKEN" |
  curl -sS --fail-with-body --config - -H "Content-Type: application/gzip" --data-binary "@$archive" \
    "$api/products/$product/builds/$version"
echo

headrace rollout start "$product" "$version" --wait --timeout "${TIMEOUT:-10m}" --reason "release $version"
