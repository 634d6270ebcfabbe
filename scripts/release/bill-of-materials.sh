#!/usr/bin/env bash
# Writes the bill of materials of what a user installs, in CycloneDX's format: bill-of-materials.sh FILE
set -euo pipefail
cd "$(dirname "$0")/../.."

tool='@cyclonedx/cyclonedx-npm@6.0.1'
npm exec --yes --package="$tool" -- cyclonedx-npm \
  --omit dev --omit optional --package-lock-only --mc-type library --output-reproducible --validate \
  --output-format JSON --output-file "$1"
