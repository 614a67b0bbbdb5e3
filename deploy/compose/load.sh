#!/bin/sh
# Mixed traffic for the demonstration: ordinary calls of four clients, and one call in ten that is made to fail, each time in another
# way. It goes on until it is ended: load.sh URL [SECONDS BETWEEN CALLS]
#
# At the usual pace the account's day of 10,000 neurons is spent after two or three hours; then the dashboards show that. A restarted demo
# begins a new one.
set -eu
url=${1:?URL of the app listener}
pause=${2:-0.4}

chat=@cf/meta/llama-3.1-8b-instruct-fp8
small=@cf/meta/llama-3.2-3b-instruct
dear=@cf/deepseek-ai/deepseek-r1-distill-qwen-32b
embedding=@cf/baai/bge-base-en-v1.5

# post CLIENT PATH BODY [X-SIMULATE] makes a call in the background. What becomes of it is for the dashboards to tell.
post() {
	curl -sS -o /dev/null --max-time 60 -H "Authorization: Bearer demo-$1" -H 'Content-Type: application/json' -H "x-simulate: ${4:-}" \
		"$url$2" -d "$3" 2>/dev/null &
}

# talk CLIENT MODEL [FIELDS] [X-SIMULATE] has a chat.
talk() {
	post "$1" /v1/chat/completions "{\"model\":\"$2\",\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]${3:-}}" "${4:-}"
}

# embed CLIENT has a text embedded.
embed() { post "$1" /v1/embeddings "{\"model\":\"$embedding\",\"input\":\"Hello\"}"; }

ordinary() {
	case $(($1 % 9)) in
	0) talk search $chat ;;
	1) talk console $chat ',"stream":true' ;;
	2) embed batch ;;
	3) post batch /run/$small '{"prompt":"Hello"}' ;;
	4) talk search $small ',"stream":true' ;;
	5) talk console $chat ',"stream":true' 'tokens=60; slow=30ms' ;;
	6) embed search ;;
	7) talk intern $small ',"max_tokens":64' ;;
	8) post console /ai/v1/messages "{\"model\":\"$chat\",\"max_tokens\":64,\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]}" ;;
	esac
}

# Workers AI's failures, the callers' own, and some that the proxy recovers from. Not 3036: Workers AI's word that the day is spent ends it.
simulated() {
	case $(($1 % 22)) in
	0) talk search $chat '' '3040; times=1' ;; # recovered by a second attempt
	1) talk batch $small '' '3040' ;;
	2) talk search $chat ',"stream":true' 'midstream=3040; after=3' ;;
	3) talk intern $embedding ;; # not on its list
	4) talk nobody $chat ;;      # no such key
	5) talk console $dear ',"max_tokens":30000' ;; # more than the day has
	6) post console /v1/chat/completions '{"model":' ;;
	7) talk console $chat '' 'html-502; times=1' ;;
	8) talk batch $chat '' '5004' ;;
	9) talk search $chat '' '3021' ;;
	10) talk console $chat '' 'reset' ;;
	11) post console /elsewhere '{}' ;;
	12) talk batch $chat '' 'ok-false' ;;
	13) talk search $chat ',"stream":true' 'midstream=cut; after=3' ;;
	14) talk console @cf/meta/none '' '5007' ;;
	15) talk console $chat '' 'hang' ;;
	16) talk batch $chat '' '3050; times=1' ;;
	17) talk console $chat '' '3007' ;;
	18) talk search $chat ',"stream":true' 'first=3040' ;;
	19) talk console $chat '' '5018' ;;
	20) talk console $chat '' 'html-502' ;;
	21) talk batch $chat '' 'empty' ;;
	esac
}

trap 'exit 0' INT TERM
n=0
while :; do
	if [ $((n % 10)) = 9 ]; then
		simulated $((n / 10))
	else
		ordinary $n
	fi
	n=$((n + 1))
	sleep "$pause"
	# Finished calls are taken note of now and then, so that they do not pile up as zombies.
	if [ $((n % 100)) = 0 ]; then
		wait
	fi
done
