package config

// docs say what each variable means, in one line of Markdown without a final full stop.
var docs = map[string]string{
	"CLOUDFLARE_ACCOUNT_ID":   "the Cloudflare account whose Workers AI is called",
	"CLOUDFLARE_API_TOKEN":    "the token for upstream calls; without it each caller's own Authorization is passed on",
	"CF_AIG_TOKEN":            "the token for an authenticated AI Gateway, sent as cf-aig-authorization",
	"NEURONWARD_LISTEN":       "the address that apps call",
	"NEURONWARD_ADMIN_LISTEN": "the address of page, metrics, status and health; empty turns it off",
	"NEURONWARD_UPSTREAM": "Workers AI, or an AI Gateway: https://gateway.ai.cloudflare.com/v1/{account}/{gateway}. " +
		"http:// with a token is refused beyond loopback",
	"NEURONWARD_API": "Cloudflare's API, for prices and check, and for the model catalog when the upstream is an AI " +
		"Gateway",
	"NEURONWARD_HOSTS": "further Host names, separated by commas, that a proxy on loopback answers to",
	"NEURONWARD_CLIENTS_FILE": "YAML file of the clients that may call, with a key each (neuronward client -h). A " +
		"change is used within a second; a file with a mistake is refused whole",
	"NEURONWARD_ALLOW_ANONYMOUS": "lets everybody who reaches the listener spend your token's neurons, without a " +
		"clients file",
	"NEURONWARD_MODELS": "models that may be called with this proxy's token, separated by commas; * is any run of " +
		"characters. Models outside Workers AI cost dollars, which are neither counted nor limited here",
	"NEURONWARD_PLAN": "free: a limit of 10,000 neurons a day, and no models that need Workers Paid. paid: " +
		"billing begins at 10,000. prepaid: paid from credits, with 50 requests a minute instead of 20 for models " +
		"that need Workers Paid",
	"NEURONWARD_DAILY_NEURONS": "the limit of neurons a day (UTC); 0 is no limit",
	"NEURONWARD_MONTHLY_NEURONS": "the limit of neurons a calendar month (UTC), in addition to the limit a day. What " +
		"others spend on the account counts as far as it is known; 0 is no limit",
	"NEURONWARD_USD_PER_1000_NEURONS": "US dollars for 1,000 neurons beyond the first 10,000 of each day, which are " +
		"free on every plan; a changed price counts from the day on which the proxy is started with it",
	"NEURONWARD_QUOTA_MODE": "enforce refuses calls that do not fit; observe counts them and refuses nothing; off " +
		"counts and stores nothing",
	"NEURONWARD_ESTIMATE": "what is reserved for a call. tight: the tokens counted in the prompt, and the output " +
		"that the call or its model's documentation allows. bound: a token for each byte, which no prompt exceeds",
	"NEURONWARD_ABORTED": "how a cancelled stream is charged. fair: its prompt, what arrived, and what its model " +
		"generates in a second. seen: without that second. estimate: all that was reserved",
	"NEURONWARD_STORE": "where usage is stored. file:PATH; redis://[[user]:password@]host:6379/0 for several " +
		"processes (rediss:// with TLS, redis+sentinel://host,host2/PRIMARY, redis+cluster://host,host2, " +
		"unix:///path?db=0); memory: is lost at the end of the process",
	"NEURONWARD_STORE_PASSWORD": "the password of the Redis server, instead of one in the address; a changed file " +
		"is read again",
	"NEURONWARD_ON_STORE_FAILURE": "what happens to calls while the store fails and a limit is enforced. deny " +
		"refuses calls that need more neurons than the process holds; allow continues from memory",
	"NEURONWARD_QUOTA_WAIT": "how long a call may wait for neurons that calls in flight have reserved",
	"NEURONWARD_QUOTA_PROBE": "how often one call is tried after Workers AI itself has said that the day is spent; " +
		"0 is never",
	"NEURONWARD_RATE_LIMITS": "requests a minute by task or model, which replace rows of Cloudflare's table: " +
		"text-generation=300,@cf/baai/bge-large-en-v1.5=1500. off is no limits",
	"NEURONWARD_RATE_WAIT": "how long a call may wait for its rate limit before it gets 429 rate_limited",
	"NEURONWARD_DEFAULT_MAX_TOKENS": "the output limit that is added to text-generation calls without one: a " +
		"number, or fit for the largest from 256 to 16384 that fits what is left. Without it bodies are sent " +
		"unchanged",
	"NEURONWARD_MAX_CONNECTIONS": "connections of apps at once. A further one waits until another ends, or closes " +
		"an idle one. One address beyond loopback may have half of them",
	"NEURONWARD_MAX_IN_FLIGHT": "calls served at once. As many again wait for up to 2s; all others get 503 " +
		"overloaded",
	"NEURONWARD_MAX_SESSIONS": "WebSocket sessions at once; they count as calls in flight. All others get 503 " +
		"overloaded; 0 allows none",
	"NEURONWARD_MAX_BODY": "the largest request body; a larger one gets 413, code 3006",
	"NEURONWARD_MAX_HELD": "request bodies in memory at once, all together. Further callers wait, then get 503 " +
		"overloaded",
	"NEURONWARD_RETRIES": "how often a call is retried after a failure that may pass, before any byte was sent to " +
		"the caller. 0 is never, and also sends every call for a model without capacity (3040) to Workers AI",
	"NEURONWARD_RETRY_BUDGET": "the largest share of calls that are retries, so that an outage is not doubled",
	"NEURONWARD_FIRST_BYTE_TIMEOUT": "how long to wait for the answer's headers or a stream's first event; then " +
		"the call gets 408, code 3007",
	"NEURONWARD_STREAM_IDLE_TIMEOUT": "how long to wait for the next byte of an answer, or for the next message " +
		"of a WebSocket session",
	"NEURONWARD_SESSION_TIMEOUT": "how long a WebSocket session may last",
	"NEURONWARD_STREAM_REPAIR": "on repairs chunks of /v1/chat/completions that OpenAI's clients cannot read; off " +
		"passes every successful stream byte for byte",
	"NEURONWARD_RETRY_AFTER_MAX": "the longest wait that is sent as retry-after; a longer one is only in the body",
	"NEURONWARD_PRICES": "live: the embedded table, updated at start and daily from Cloudflare's catalog " +
		"(models/search) with the API token. embedded: that table alone. Or the path of a file in its format, which " +
		"replaces it",
	"NEURONWARD_RECONCILE": "how often the account's own figure is read, so that what others spend counts against " +
		"the limit; 0 is never",
	"NEURONWARD_ANALYTICS_TOKEN": "the token that reads the account's own figure; it needs Account Analytics: Read",
	"NEURONWARD_TLS_CERT": "PEM file of the app listener's certificate and its chain; with it apps call https://. A " +
		"change is used within a second",
	"NEURONWARD_TLS_KEY":   "PEM file of that certificate's key",
	"NEURONWARD_DRAIN":     "how long calls in flight may continue after SIGTERM",
	"NEURONWARD_LOG_LEVEL": "the lowest level that is logged",
	"NEURONWARD_LOG_FORMAT": "the format of log lines; auto is a short line for each call on a terminal, " +
		"and json elsewhere",
	"NEURONWARD_PPROF": "serves /debug/pprof on the admin listener",
}

// defaults are those that are said in words, because they are no literal of a tag.
var defaults = map[string]string{
	"CLOUDFLARE_ACCOUNT_ID":    "required",
	"NEURONWARD_API":           "the upstream if it ends in /client/v4, else https://api.cloudflare.com/client/v4",
	"NEURONWARD_DAILY_NEURONS": "10000 on free, 0 on paid and prepaid",
	"NEURONWARD_STORE": "file: in the first of $XDG_STATE_HOME/neuronward, ~/.local/state/neuronward and " +
		"/var/lib/neuronward that can be written",
	"NEURONWARD_RATE_LIMITS":     "Cloudflare's table",
	"NEURONWARD_ANALYTICS_TOKEN": "the API token",
}
