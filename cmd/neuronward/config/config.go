package config

// A Config is the whole configuration, and the one table of what may be set. Each field is a variable; its tags are read
// by caarlos0/env and by the help text:
//
//	env         the name
//	envDefault  the default
//	shown       the default for people, where it is not a literal
//	doc         what it means
//	choices     the values that it may have, with | between them
//	secret      file: a secret that has a …_FILE twin; hidden: never shown
//	empty       set: an empty value is a value and not the default
//
// The doc texts are one line of Markdown without a final full stop.
type Config struct {
	Account      AccountID  `env:"CLOUDFLARE_ACCOUNT_ID" shown:"required" doc:"account whose Workers AI is called"`
	Token        Credential `env:"CLOUDFLARE_API_TOKEN" secret:"file" doc:"put on upstream calls instead of the caller's credentials; without it the caller's Authorization passes through"`
	GatewayToken Credential `env:"CF_AIG_TOKEN" secret:"file" doc:"put as cf-aig-authorization on calls to an AI Gateway"`

	Listen      Address `env:"NEURONWARD_LISTEN" envDefault:"127.0.0.1:3036" doc:"where apps call"`
	AdminListen Address `env:"NEURONWARD_ADMIN_LISTEN" envDefault:"127.0.0.1:3037" empty:"set" doc:"metrics, health and status; empty turns it off"`
	Upstream    baseURL `env:"NEURONWARD_UPSTREAM" envDefault:"https://api.cloudflare.com/client/v4" doc:"Workers AI, or an AI Gateway: https://gateway.ai.cloudflare.com/v1/{account}/{gateway}; http:// beyond loopback with a token is refused"`
	API         baseURL `env:"NEURONWARD_API" shown:"the upstream if it ends in /client/v4, else https://api.cloudflare.com/client/v4" doc:"where prices and check are asked, and the model catalog when the upstream is an AI Gateway"`
	Hosts       hosts   `env:"NEURONWARD_HOSTS" doc:"further Host names to answer to while on loopback, with commas between them"`

	ClientsFile    ClientsFile `env:"NEURONWARD_CLIENTS_FILE" doc:"YAML of the clients that may call, with a key each (neuronward client -h); a change is picked up within a second, a bad file is refused whole"`
	AllowAnonymous toggle      `env:"NEURONWARD_ALLOW_ANONYMOUS" envDefault:"false" doc:"allows a token of ours on a listener beyond loopback without a clients file"`

	Plan         string   `env:"NEURONWARD_PLAN" envDefault:"free" choices:"free|paid" doc:"on free, 10,000 neurons a day are a wall, and models that need Workers Paid are refused; on paid, billing begins there"`
	DailyNeurons amount   `env:"NEURONWARD_DAILY_NEURONS" shown:"10000 on free, 0 on paid" doc:"the ceiling of a day that is enforced; 0 is none"`
	QuotaMode    string   `env:"NEURONWARD_QUOTA_MODE" envDefault:"enforce" choices:"enforce|observe|off" doc:"observe counts what it would have refused and refuses nothing; off counts nothing and keeps nothing"`
	Estimate     string   `env:"NEURONWARD_ESTIMATE" envDefault:"bound" choices:"bound|expected" doc:"what is reserved for a call: an upper bound, so that the ceiling is never passed, or what 99 of 100 calls of its model stayed below, so that more calls fit at once"`
	Aborted      string   `env:"NEURONWARD_ABORTED" envDefault:"seen" choices:"seen|estimate" doc:"what a call costs that its caller broke off: what had passed, or all that was reserved"`
	Store        StoreURL `env:"NEURONWARD_STORE" shown:"file: in $XDG_STATE_HOME/neuronward, ~/.local/state/neuronward or /var/lib/neuronward, the first that can be written" secret:"hidden" doc:"where it is kept what was spent: file:PATH; redis://[[user]:password@]host:6379/0 (rediss:// with TLS, unix:///path?db=0) for several processes; or memory: until the process ends"`
	OnStoreFail  string   `env:"NEURONWARD_ON_STORE_FAILURE" envDefault:"deny" choices:"deny|allow" doc:"what becomes of calls while the store is gone and a ceiling is enforced; allow goes on from memory"`
	QuotaWait    Wait     `env:"NEURONWARD_QUOTA_WAIT" envDefault:"10s" doc:"how long a call may wait for neurons that calls in flight hold"`
	QuotaProbe   Wait     `env:"NEURONWARD_QUOTA_PROBE" envDefault:"30m" doc:"how often one call is let through once Workers AI itself said that the day is spent; 0 is never"`
	RateLimits   rates    `env:"NEURONWARD_RATE_LIMITS" shown:"Cloudflare's table" doc:"requests a minute by task or model, over that table: text-generation=300,@cf/baai/bge-large-en-v1.5=1500; off is none"`
	RateWait     Wait     `env:"NEURONWARD_RATE_WAIT" envDefault:"5s" doc:"how long a call may wait its turn before 429 rate_limited"`

	MaxInFlight atLeastOne `env:"NEURONWARD_MAX_IN_FLIGHT" envDefault:"1024" doc:"calls served at once; beyond it as many wait for up to 2s, then 503 overloaded"`
	MaxBody     size       `env:"NEURONWARD_MAX_BODY" envDefault:"32MiB" doc:"the largest request body; beyond it 413, code 3006"`
	MaxHeld     size       `env:"NEURONWARD_MAX_HELD" envDefault:"256MiB" doc:"inspected request bodies held at once; beyond it callers wait, then 503"`
	Retries     count      `env:"NEURONWARD_RETRIES" envDefault:"2" doc:"extra attempts for what is worth repeating, before any byte went to the caller; 0 is none, and every 3040 comes from Workers AI itself"`
	RetryBudget share      `env:"NEURONWARD_RETRY_BUDGET" envDefault:"0.2" doc:"extra attempts are at most this share of calls, so that an outage is not doubled"`

	FirstByteTimeout  limit `env:"NEURONWARD_FIRST_BYTE_TIMEOUT" envDefault:"6m" doc:"wait for the answer's headers, or a stream's first event; then 408, code 3007"`
	StreamIdleTimeout limit `env:"NEURONWARD_STREAM_IDLE_TIMEOUT" envDefault:"2m" doc:"wait between bytes of an answer after that"`
	RetryAfterMax     Wait  `env:"NEURONWARD_RETRY_AFTER_MAX" envDefault:"60s" doc:"a longer wait is not sent as retry-after, only in the body"`

	Prices         priceSource `env:"NEURONWARD_PRICES" envDefault:"live" doc:"live: what models/search says, over the embedded table, read at start and daily with the API token; embedded: that table alone; or a file of its form instead of it"`
	Reconcile      Wait        `env:"NEURONWARD_RECONCILE" envDefault:"5m" doc:"how often the account's own figure is read: what others spend of the account counts against the ceiling; 0 never"`
	AnalyticsToken Credential  `env:"NEURONWARD_ANALYTICS_TOKEN" secret:"file" shown:"the API token" doc:"reads the account's own figure; needs Account Analytics: Read"`

	TLSCert pemFile `env:"NEURONWARD_TLS_CERT" doc:"PEM file of the app listener's certificate, with what is needed of its chain; with it apps call https://. A change of the file is picked up"`
	TLSKey  pemFile `env:"NEURONWARD_TLS_KEY" doc:"PEM file of that certificate's key"`

	Drain     Wait   `env:"NEURONWARD_DRAIN" envDefault:"30s" doc:"how long calls in flight may go on after SIGTERM"`
	LogLevel  string `env:"NEURONWARD_LOG_LEVEL" envDefault:"info" choices:"debug|info|warn|error" doc:"the quietest line that is logged"`
	LogFormat string `env:"NEURONWARD_LOG_FORMAT" envDefault:"auto" choices:"auto|text|json" doc:"the form of a line; auto is text on a terminal and json elsewhere"`
	Pprof     toggle `env:"NEURONWARD_PPROF" envDefault:"false" doc:"serves /debug/pprof on the admin listener"`
}
