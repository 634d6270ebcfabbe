#!/usr/bin/env bash
# Installs what the lock file names, runs none of its scripts, and checks what was installed: the registry's signatures
# and the provenance of every package that has one, and the advisories on what a user of this package installs too.
set -euo pipefail
cd "$(dirname "$0")/../.."

npm ci --ignore-scripts --no-audit --no-fund
npm audit signatures
npm audit --omit=dev --audit-level=low
