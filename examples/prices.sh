#!/bin/sh
# The newest prices once, then each change as an event: sh prices.sh AAPL MSFT
set -eu
url=${TICKER_URL:-http://localhost:8700}
symbols=$(echo "$*" | tr ' ' ',')
set --
if [ -n "${TICKER_TOKEN:-}" ]; then
    set -- --header "Authorization: Bearer $TICKER_TOKEN"
fi
curl --fail --silent --show-error "$@" "$url/prices?symbols=$symbols"
echo
exec curl --fail --silent --show-error --no-buffer "$@" "$url/stream?symbols=$symbols&channel=price" \
    --header "Accept: text/event-stream"
