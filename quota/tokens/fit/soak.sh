#!/usr/bin/env bash
# Holds the estimate against real tokenizers on texts that the fit has not seen, then looks for worse ones:
# soak.sh [EACH [SEED [SECONDS]]]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
each=${1:-12}
seed=${2:-$(date +%Y%m%d)}
seconds=${3:-300}
npm ci --ignore-scripts --no-audit --no-fund
texts=$(mktemp --suffix=.gz)
trap 'rm -f "$texts"' EXIT
echo "tokens: $each texts of each kind, seed $seed"
node texts.mjs soak "$seed" "$each" "$texts"
node climb.mjs all "$seconds" "$seed"
cd .. && go test -count=1 -v -run TestTexts . -texts "$texts" -excess 0.1
