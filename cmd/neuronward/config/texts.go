package config

// docs say what each variable means, in one line of Markdown without a final full stop.
var docs = map[string]string{ //nolint:gosec // names of variables, not credentials
	"CLOUDFLARE_ACCOUNT_ID": "account whose Workers AI is called",
	"CLOUDFLARE_API_TOKEN": "sent on upstream calls instead of the caller's credentials; without it the caller's " +
		"Authorization is passed on",
	"CF_AIG_TOKEN":            "sent as cf-aig-authorization on calls to an AI Gateway",
	"NEURONWARD_LISTEN":       "address that apps call",
	"NEURONWARD_ADMIN_LISTEN": "address of metrics, health and status; empty turns it off",
	"NEURONWARD_UPSTREAM": "Workers AI, or an AI Gateway: https://gateway.ai.cloudflare.com/v1/{account}/{gateway}; " +
		"http:// beyond loopback with a token is refused",
	"NEURONWARD_API": "Cloudflare's API: asked for prices and by check, and for the model catalog when the upstream " +
		"is an AI Gateway",
	"NEURONWARD_HOSTS": "further Host names to answer to while on loopback, with commas between them",
	"NEURONWARD_CLIENTS_FILE": "YAML of the clients that may call, with a key each (neuronward client -h); a change " +
		"is in use within a second, a file with a mistake is refused whole",
	"NEURONWARD_ALLOW_ANONYMOUS": "allows a token of this proxy's own on a listener beyond loopback without a " +
		"clients file",
	"NEURONWARD_MODELS": "models that may be called with this proxy's token, with commas between them; * is any run " +
		"of characters. Models outside Workers AI are billed in dollars, which are neither counted nor limited here",
	"NEURONWARD_PLAN": "on free, 10,000 neurons a day are a hard limit, and models that need Workers Paid are " +
		"refused; on paid, billing begins there; prepaid is Workers AI paid from credits: as paid, with 50 requests " +
		"a minute for those models instead of 20",
	"NEURONWARD_DAILY_NEURONS": "neurons that may be spent a day; 0 is no limit",
	"NEURONWARD_MONTHLY_NEURONS": "neurons that may be spent a calendar month (UTC), beside the limit of the " +
		"day; what " +
		"others spend of the account counts as far as it is known; 0 is no limit",
	"NEURONWARD_USD_PER_1000_NEURONS": "US dollars that 1,000 neurons cost beyond the first 10,000 of each day, " +
		"which are free on every plan",
	"NEURONWARD_QUOTA_MODE": "observe counts what it would have refused and refuses nothing; off counts and stores " +
		"nothing",
	"NEURONWARD_ESTIMATE": "what is reserved for a call: tight is the tokens counted in its prompt, and the output " +
		"that it or its model's documentation allows; bound takes a token for each byte",
	"NEURONWARD_ABORTED": "how a stream is charged that is cut off: fair is its prompt, what came, and what its " +
		"model makes in a second; seen leaves that second out; estimate is all that was reserved",
	"NEURONWARD_STORE": "where usage is stored: file:PATH; redis://[[user]:password@]host:6379/0 (rediss:// with " +
		"TLS, redis+sentinel://host,host2/PRIMARY, redis+cluster://host,host2, unix:///path?db=0) for several " +
		"processes; or memory: until the process ends",
	"NEURONWARD_STORE_PASSWORD": "the password of the Redis server, instead of one in its address; a file is read " +
		"again when it changes",
	"NEURONWARD_ON_STORE_FAILURE": "what happens to calls while the store fails and a limit is enforced; allow " +
		"continues from memory",
	"NEURONWARD_QUOTA_WAIT": "how long a call may wait for neurons that are reserved by calls in flight",
	"NEURONWARD_QUOTA_PROBE": "how often one call is let through after Workers AI itself has said that the day is " +
		"spent; 0 is never",
	"NEURONWARD_RATE_LIMITS": "requests a minute by task or model, which replace those of the table: " +
		"text-generation=300,@cf/baai/bge-large-en-v1.5=1500; off is none",
	"NEURONWARD_RATE_WAIT": "how long a call may wait for its rate limit before 429 rate_limited",
	"NEURONWARD_DEFAULT_MAX_TOKENS": "limit of output tokens that is put into calls of text models whose callers " +
		"name none: a number, or fit for the largest from 256 to 16384 that fits what is left of the limits; without " +
		"it bodies are sent as they came",
	"NEURONWARD_MAX_CONNECTIONS": "connections of apps at once; one more waits until another one ends, or is closed " +
		"because it is idle. One address beyond loopback may have half of them",
	"NEURONWARD_MAX_IN_FLIGHT": "calls served at once; as many more wait for up to 2s, all others get 503 overloaded",
	"NEURONWARD_MAX_SESSIONS": "sessions over WebSockets at once, which are among the calls served; all others get " +
		"503 overloaded, and with 0 all of them",
	"NEURONWARD_MAX_BODY": "the largest request body; beyond it 413, code 3006",
	"NEURONWARD_MAX_HELD": "inspected request bodies in memory at once; beyond it callers wait, then 503",
	"NEURONWARD_RETRIES": "extra attempts after failures that are worth a retry, before any byte was sent to the " +
		"caller; 0 is none, and every 3040 comes from Workers AI itself",
	"NEURONWARD_RETRY_BUDGET": "extra attempts are at most this share of calls, " +
		"so that an outage is not doubled",
	"NEURONWARD_FIRST_BYTE_TIMEOUT": "wait for the answer's headers, or a stream's first event; then 408, code 3007",
	"NEURONWARD_STREAM_IDLE_TIMEOUT": "wait between bytes of an answer after that, and for anything in a session " +
		"over a WebSocket",
	"NEURONWARD_SESSION_TIMEOUT": "how long a session over a WebSocket may last",
	"NEURONWARD_STREAM_REPAIR": "on repairs the chunks of /v1/chat/completions that OpenAI's clients cannot read; " +
		"with off every successful stream passes byte for byte",
	"NEURONWARD_RETRY_AFTER_MAX": "a longer wait is not sent as retry-after, only in the body",
	"NEURONWARD_PRICES": "live: what models/search says, over the embedded table, read at start and daily with the " +
		"API token; embedded: that table alone; or the path of a file of its form, which replaces it",
	"NEURONWARD_RECONCILE": "how often the account's own figure is read, so that what others spend of the account " +
		"counts against the limit; 0 is never",
	"NEURONWARD_ANALYTICS_TOKEN": "reads the account's own figure; needs Account Analytics: Read",
	"NEURONWARD_TLS_CERT": "PEM file of the app listener's certificate, with what is needed of its chain; with it " +
		"apps call https://. A change of the file is in use within a second",
	"NEURONWARD_TLS_KEY":    "PEM file of that certificate's key",
	"NEURONWARD_DRAIN":      "how long calls in flight may continue after SIGTERM",
	"NEURONWARD_LOG_LEVEL":  "the lowest level that is logged",
	"NEURONWARD_LOG_FORMAT": "the format of log lines; auto is a short line a call on a terminal and json elsewhere",
	"NEURONWARD_PPROF":      "serves /debug/pprof on the admin listener",
}

// defaults are those that are said in words, because they are no literal of a tag.
var defaults = map[string]string{
	"CLOUDFLARE_ACCOUNT_ID":    "required",
	"NEURONWARD_API":           "the upstream if it ends in /client/v4, else https://api.cloudflare.com/client/v4",
	"NEURONWARD_DAILY_NEURONS": "10000 on free, 0 on paid and prepaid",
	"NEURONWARD_STORE": "file: in $XDG_STATE_HOME/neuronward, ~/.local/state/neuronward or /var/lib/neuronward, the " +
		"first that can be written",
	"NEURONWARD_RATE_LIMITS":     "Cloudflare's table",
	"NEURONWARD_ANALYTICS_TOKEN": "the API token",
}
