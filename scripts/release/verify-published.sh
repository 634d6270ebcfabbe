#!/usr/bin/env bash
# Compares what the registry serves with what was tested, and installs it with its signature and provenance checked:
# verify-published.sh INTEGRITY
set -euo pipefail
cd "$(dirname "$0")/../.."

expected="$1"
name="$(node --print "require('./package.json').name")"
version="$(node --print "require('./package.json').version")"
tries=20
pause_seconds="${PAUSE_SECONDS:-15}"

main() {
  local served
  served="$(integrity_served)"
  if [ "$served" != "$expected" ]; then
    echo "$name@$version is served with $served; what was tested has $expected. Deprecate it and find out why." >&2
    exit 1
  fi
  echo "$name@$version is what was tested: $expected"
  check_attestations
}

# The registry may answer from before the release for some minutes.
integrity_served() {
  local served
  for ((n = 1; n <= tries; n++)); do
    served="$(npm view "$name@$version" dist.integrity --prefer-online 2> /dev/null || true)"
    if [ -n "$served" ]; then
      echo "$served"
      return
    fi
    if [ "$n" -lt "$tries" ]; then sleep "$pause_seconds"; fi
  done
  echo "$name@$version is not served after $tries tries." >&2
  exit 1
}

check_attestations() {
  local folder
  folder="$(mktemp -d)"
  trap "rm -rf '$folder'" EXIT
  cd "$folder"
  echo '{ "private": true }' > package.json
  npm install --ignore-scripts --no-audit --no-fund "$name@$version"
  npm audit signatures
}

main
