#!/usr/bin/env bash
# Writes what is yours and what is secret, once, beside this script:
#
#   ./prepare.sh DOMAIN ACCOUNT <FILE     the token of Cloudflare is read from standard input
#
#   .env                              what compose.yml asks for
#   secrets/neuronward/api-token      may be replaced at any time, as may the two below: no restart is needed
#   secrets/neuronward/clients.yaml   further clients: docker compose exec neuronward /neuronward client new NAME
#   secrets/neuronward/store-password
#   secrets/redis/users.acl           who may do what in Redis; it holds a hash of that password
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

fail() {
	printf 'prepare: %s\n' "$*" >&2
	exit 1
}
hash() { sha256sum | cut -d ' ' -f 1; }
secret() { head -c 32 /dev/urandom | hash; }

(($# == 2)) || fail 'usage: ./prepare.sh DOMAIN ACCOUNT <FILE'
[[ $2 =~ ^[0-9a-f]{32}$ ]] || fail "$2 is not an account: copy the 32 hexadecimal digits from Cloudflare's dashboard"
[[ ! -e secrets && ! -e .env ]] || fail 'secrets or .env is there already: nothing is written over'
[[ ! -t 0 ]] || echo 'prepare: type the token of Cloudflare, then Enter and Ctrl-D' >&2
token=$(cat)
[[ -n $token ]] || fail 'the token on standard input is empty'

# The proxy runs as whoever owns its secrets, but never as root.
owner=$(id -u):$(id -g)
[[ $(id -u) != 0 ]] || owner=65532:65532

password=$(secret)
key=nwk_$(secret)
umask 077
mkdir -p secrets/neuronward secrets/redis
printf '%s\n' "$token" >secrets/neuronward/api-token
printf '%s\n' "$password" >secrets/neuronward/store-password
printf 'clients:\n  - name: first\n    key_sha256: %s\n' "$(printf '%s' "$key" | hash)" >secrets/neuronward/clients.yaml
printf 'DOMAIN=%s\nCLOUDFLARE_ACCOUNT_ID=%s\nRUN_AS=%s\n' "$1" "$2" "$owner" >.env
chown -R "$owner" secrets/neuronward

# Nobody is the default user, but it must keep its rights: Redis takes them when it reads its file at the start, and forgets what they
# do not allow. The proxy may do what it asks for, quota/redisstore/README.md, on its own keys, and nothing that is dangerous to others. The
# health check may ask whether the server is there.
cat >secrets/redis/users.acl <<EOF
user default off resetpass ~* &* +@all
user health on nopass resetkeys resetchannels -@all +ping
user neuronward on #$(printf '%s' "$password" | hash) resetkeys resetchannels ~neuronward:* &neuronward:* -@all +@read +@write +@scripting +@connection -@dangerous +time +info +publish +subscribe +unsubscribe
EOF
chmod 755 secrets/redis
chmod 644 secrets/redis/users.acl

echo "The key of the client first, shown this once: $key"
