package config

// A text is what people read of a variable.
type text struct {
	doc      string // one line of Markdown without a final full stop
	fallback string // the default in words, where it is not the literal one of the tag
}

// texts has a text for each variable.
var texts = map[string]text{
	"CLOUDFLARE_ACCOUNT_ID": {
		doc:      "account whose Workers AI is called",
		fallback: "required",
	},
	"CLOUDFLARE_API_TOKEN": {
		doc: "sent on upstream calls instead of the caller's credentials; " +
			"without it the caller's Authorization is passed on",
	},
	"CF_AIG_TOKEN": {
		doc: "sent as cf-aig-authorization on calls to an AI Gateway",
	},
	"NEURONWARD_LISTEN": {
		doc: "address that apps call",
	},
	"NEURONWARD_ADMIN_LISTEN": {
		doc: "address of metrics, health and status; empty turns it off",
	},
	"NEURONWARD_UPSTREAM": {
		doc: "Workers AI, or an AI Gateway: https://gateway.ai.cloudflare.com/v1/{account}/{gateway}; " +
			"http:// beyond loopback with a token is refused",
	},
	"NEURONWARD_API": {
		doc: "Cloudflare's API: asked for prices and by check, and for the model catalog " +
			"when the upstream is an AI Gateway",
		fallback: "the upstream if it ends in /client/v4, else https://api.cloudflare.com/client/v4",
	},
	"NEURONWARD_HOSTS": {
		doc: "further Host names to answer to while on loopback, with commas between them",
	},
	"NEURONWARD_CLIENTS_FILE": {
		doc: "YAML of the clients that may call, with a key each (neuronward client -h); " +
			"a change is in use within a second, a file with a mistake is refused whole",
	},
	"NEURONWARD_ALLOW_ANONYMOUS": {
		doc: "allows a token of this proxy's own on a listener beyond loopback without a clients file",
	},
	"NEURONWARD_PLAN": {
		doc: "on free, 10,000 neurons a day are a hard limit, and models that need Workers Paid are refused; " +
			"on paid, billing begins there",
	},
	"NEURONWARD_DAILY_NEURONS": {
		doc:      "neurons that may be spent a day; 0 is no limit",
		fallback: "10000 on free, 0 on paid",
	},
	"NEURONWARD_QUOTA_MODE": {
		doc: "observe counts what it would have refused and refuses nothing; off counts and stores nothing",
	},
	"NEURONWARD_ESTIMATE": {
		doc: "what is reserved for a call: an upper bound, so that the limit is never exceeded, " +
			"or what 99 of 100 calls of its model stayed below, so that more calls fit at once",
	},
	"NEURONWARD_ABORTED": {
		doc: "how a cancelled call is charged: by what was sent to its caller, or with all that was reserved",
	},
	"NEURONWARD_STORE": {
		doc: "where usage is stored: file:PATH; redis://[[user]:password@]host:6379/0 " +
			"(rediss:// with TLS, unix:///path?db=0) for several processes; or memory: until the process ends",
		fallback: "file: in $XDG_STATE_HOME/neuronward, ~/.local/state/neuronward or /var/lib/neuronward, " +
			"the first that can be written",
	},
	"NEURONWARD_ON_STORE_FAILURE": {
		doc: "what happens to calls while the store fails and a limit is enforced; allow continues from memory",
	},
	"NEURONWARD_QUOTA_WAIT": {
		doc: "how long a call may wait for neurons that are reserved by calls in flight",
	},
	"NEURONWARD_QUOTA_PROBE": {
		doc: "how often one call is let through after Workers AI itself has said that the day is spent; 0 is never",
	},
	"NEURONWARD_RATE_LIMITS": {
		doc: "requests a minute by task or model, which replace those of the table: " +
			"text-generation=300,@cf/baai/bge-large-en-v1.5=1500; off is none",
		fallback: "Cloudflare's table",
	},
	"NEURONWARD_RATE_WAIT": {
		doc: "how long a call may wait for its rate limit before 429 rate_limited",
	},
	"NEURONWARD_MAX_IN_FLIGHT": {
		doc: "calls served at once; as many more wait for up to 2s, all others get 503 overloaded",
	},
	"NEURONWARD_MAX_BODY": {
		doc: "the largest request body; beyond it 413, code 3006",
	},
	"NEURONWARD_MAX_HELD": {
		doc: "inspected request bodies in memory at once; beyond it callers wait, then 503",
	},
	"NEURONWARD_RETRIES": {
		doc: "extra attempts after failures that are worth a retry, before any byte was sent to the caller; " +
			"0 is none, and every 3040 comes from Workers AI itself",
	},
	"NEURONWARD_RETRY_BUDGET": {
		doc: "extra attempts are at most this share of calls, so that an outage is not doubled",
	},
	"NEURONWARD_FIRST_BYTE_TIMEOUT": {
		doc: "wait for the answer's headers, or a stream's first event; then 408, code 3007",
	},
	"NEURONWARD_STREAM_IDLE_TIMEOUT": {
		doc: "wait between bytes of an answer after that",
	},
	"NEURONWARD_RETRY_AFTER_MAX": {
		doc: "a longer wait is not sent as retry-after, only in the body",
	},
	"NEURONWARD_PRICES": {
		doc: "live: what models/search says, over the embedded table, read at start and daily with the API token; " +
			"embedded: that table alone; or the path of a file of its form, which replaces it",
	},
	"NEURONWARD_RECONCILE": {
		doc: "how often the account's own figure is read, so that what others spend of the account counts " +
			"against the limit; 0 is never",
	},
	"NEURONWARD_ANALYTICS_TOKEN": {
		doc:      "reads the account's own figure; needs Account Analytics: Read",
		fallback: "the API token",
	},
	"NEURONWARD_TLS_CERT": {
		doc: "PEM file of the app listener's certificate, with what is needed of its chain; " +
			"with it apps call https://. A change of the file is in use within a second",
	},
	"NEURONWARD_TLS_KEY": {
		doc: "PEM file of that certificate's key",
	},
	"NEURONWARD_DRAIN": {
		doc: "how long calls in flight may continue after SIGTERM",
	},
	"NEURONWARD_LOG_LEVEL": {
		doc: "the lowest level that is logged",
	},
	"NEURONWARD_LOG_FORMAT": {
		doc: "the format of log lines; auto is text on a terminal and json elsewhere",
	},
	"NEURONWARD_PPROF": {
		doc: "serves /debug/pprof on the admin listener",
	},
}
