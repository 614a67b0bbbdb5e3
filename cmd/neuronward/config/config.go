package config

import (
	"net/url"
	"time"

	"github.com/neuronward/neuronward/metrics/tracing"
	"github.com/neuronward/neuronward/proxy/modelname"
	"github.com/neuronward/neuronward/proxy/outputlimit"
	"github.com/neuronward/neuronward/quota/pace"
	"github.com/neuronward/neuronward/quota/price"
)

// A Config is the whole configuration. Each field with a tag is a variable, in the order of the help text and of
// README; texts.go says what each means. Defaults are here and nowhere else, but for those that depend on other
// variables, which resolve sets. The tags:
//
//	env         the name
//	envDefault  the default
//	choices     the values that it may have, with | between them
//	secret      file: a secret that has a …_FILE twin; hidden: its password is never shown
//	empty       set: an empty value is a value and not the default
//	group       the heading in the help text and the documents; it holds for the fields that follow, too
type Config struct {
	Account      string         `env:"CLOUDFLARE_ACCOUNT_ID" group:"Cloudflare"`
	Token        Secret         `env:"CLOUDFLARE_API_TOKEN" secret:"file"`
	GatewayToken Secret         `env:"CF_AIG_TOKEN" secret:"file"`
	Upstream     *url.URL       `env:"NEURONWARD_UPSTREAM" envDefault:"https://api.cloudflare.com/client/v4"`
	API          *url.URL       `env:"NEURONWARD_API"`
	Models       modelname.List `env:"NEURONWARD_MODELS" envDefault:"@cf/*,@hf/*"`
	Plan         string         `env:"NEURONWARD_PLAN" envDefault:"free" choices:"free|paid|prepaid"`

	// Listen and AdminListen are host:port; without an AdminListen there is no such listener. The URLs above have no
	// slash at their end, and Hosts are lower case.
	Listen      string   `env:"NEURONWARD_LISTEN" envDefault:"127.0.0.1:3036" group:"Listeners"`
	AdminListen string   `env:"NEURONWARD_ADMIN_LISTEN" envDefault:"127.0.0.1:3037" empty:"set"`
	Hosts       []string `env:"NEURONWARD_HOSTS"`
	TLSCert     string   `env:"NEURONWARD_TLS_CERT"` // path
	TLSKey      string   `env:"NEURONWARD_TLS_KEY"`  // path

	ClientsFile    string `env:"NEURONWARD_CLIENTS_FILE" group:"Callers"`
	AllowAnonymous bool   `env:"NEURONWARD_ALLOW_ANONYMOUS" envDefault:"false"`
	MaxConnections int    `env:"NEURONWARD_MAX_CONNECTIONS" envDefault:"4096"`
	MaxInFlight    int    `env:"NEURONWARD_MAX_IN_FLIGHT" envDefault:"1024"`
	MaxSessions    int    `env:"NEURONWARD_MAX_SESSIONS" envDefault:"512"` // 0: no WebSocket
	MaxBody        int64  `env:"NEURONWARD_MAX_BODY" envDefault:"32MiB"`   // bytes
	MaxHeld        int64  `env:"NEURONWARD_MAX_HELD" envDefault:"256MiB"`  // bytes

	DailyNeurons   float64 `env:"NEURONWARD_DAILY_NEURONS" group:"Neurons and dollars"` // 0: no limit
	MonthlyNeurons float64 `env:"NEURONWARD_MONTHLY_NEURONS" envDefault:"0"`            // 0: no limit
	QuotaMode      string  `env:"NEURONWARD_QUOTA_MODE" envDefault:"enforce" choices:"enforce|observe|off"`
	Estimate       string  `env:"NEURONWARD_ESTIMATE" envDefault:"tight" choices:"tight|bound"`

	DefaultMaxTokens outputlimit.Default `env:"NEURONWARD_DEFAULT_MAX_TOKENS"`

	QuotaWait      time.Duration `env:"NEURONWARD_QUOTA_WAIT" envDefault:"10s"`
	QuotaProbe     time.Duration `env:"NEURONWARD_QUOTA_PROBE" envDefault:"30m"` // 0: never
	Aborted        string        `env:"NEURONWARD_ABORTED" envDefault:"fair" choices:"fair|seen|estimate"`
	USDPer1000     float64       `env:"NEURONWARD_USD_PER_1000_NEURONS" envDefault:"0.011"`
	Prices         string        `env:"NEURONWARD_PRICES" envDefault:"live"`  // live, embedded or a path
	Reconcile      time.Duration `env:"NEURONWARD_RECONCILE" envDefault:"5m"` // 0: never
	AnalyticsToken Secret        `env:"NEURONWARD_ANALYTICS_TOKEN" secret:"file"`

	Store          Store  `env:"NEURONWARD_STORE" secret:"hidden" group:"Usage store"`
	StorePassword  Secret `env:"NEURONWARD_STORE_PASSWORD" secret:"file"`
	OnStoreFailure string `env:"NEURONWARD_ON_STORE_FAILURE" envDefault:"deny" choices:"deny|allow"`

	RateLimits    pace.Table    `env:"NEURONWARD_RATE_LIMITS" group:"Rate limits and retries"`
	RateWait      time.Duration `env:"NEURONWARD_RATE_WAIT" envDefault:"5s"`
	Retries       int           `env:"NEURONWARD_RETRIES" envDefault:"2"`
	RetryBudget   float64       `env:"NEURONWARD_RETRY_BUDGET" envDefault:"0.2"` // share of calls, 0 to 1
	RetryAfterMax time.Duration `env:"NEURONWARD_RETRY_AFTER_MAX" envDefault:"60s"`

	FirstByteTimeout  time.Duration `env:"NEURONWARD_FIRST_BYTE_TIMEOUT" envDefault:"6m" group:"Answers and streams"`
	StreamIdleTimeout time.Duration `env:"NEURONWARD_STREAM_IDLE_TIMEOUT" envDefault:"2m"`
	SessionTimeout    time.Duration `env:"NEURONWARD_SESSION_TIMEOUT" envDefault:"1h"`
	StreamRepair      string        `env:"NEURONWARD_STREAM_REPAIR" envDefault:"on" choices:"on|off"`

	Drain     time.Duration `env:"NEURONWARD_DRAIN" envDefault:"30s" group:"Process and log"`
	LogLevel  string        `env:"NEURONWARD_LOG_LEVEL" envDefault:"info" choices:"debug|info|warn|error"`
	LogFormat string        `env:"NEURONWARD_LOG_FORMAT" envDefault:"auto" choices:"auto|text|json"`
	Pprof     bool          `env:"NEURONWARD_PPROF" envDefault:"false"`

	// Telemetry is what OpenTelemetry's variables say; telemetryvars.go has these.
	Telemetry tracing.Options

	// What the files hold that the variables name.

	Clients     *ClientsFile // nil: no clients file
	Certificate *Certificate // of the app listener; nil: it is plain
	PriceTable  *price.Table // to begin with: of a file, or the embedded one

	Warnings []string // what works, but should be reported: a variable, a colon and a line of text

	environ map[string]string
	given   map[string]string // environ without what is empty and so unset
}

// Values of Plan, QuotaMode, Estimate, Aborted, OnStoreFailure, StreamRepair and Prices that the program compares.
const (
	PlanFree        = "free"
	PlanPrepaid     = "prepaid"
	ModeObserve     = "observe"
	ModeOff         = "off"
	EstimateBound   = "bound"
	AbortedSeen     = "seen"
	AbortedEstimate = "estimate"
	FailureAllow    = "allow"
	RepairOff       = "off"
	PricesLive      = "live"
	PricesEmbedded  = "embedded"
)

// PlanAssumed reports whether NEURONWARD_PLAN is not set and matters.
func (c *Config) PlanAssumed() bool {
	return c.given["NEURONWARD_PLAN"] == "" && c.QuotaMode != ModeOff
}

// Scheme returns what the URLs of the app listener begin with: http or https.
func (c *Config) Scheme() string {
	if c.TLSCert != "" {
		return "https"
	}
	return "http"
}
