package sdk

import (
	"net/http"
	"time"
)

const (
	account  = "demo" // the demo's
	model    = "@cf/meta/llama-3.1-8b-instruct-fp8"
	question = "Hello"
)

// A scenario is one situation that every SDK is put into.
type scenario struct {
	name     string
	title    string // for people
	simulate string // x-simulate; "" is none
	stream   bool
	wrongKey bool // calls a proxy without a token of its own, with a key that Workers AI refuses
	want     want
}

// want is what the user of an SDK ought to see. Where an SDK cannot show a part of it, its client says so and why.
type want struct {
	text     extent
	requests int // that reached the proxy, the SDK's own retries included

	status   int    // of the error; 0 within a stream, whose status was 200
	class    string // of the error, from the client
	code     string // what to branch on; "" = no error
	number   int    // Workers AI's code, for SDKs that have no room for a word
	message  string
	withID   bool // the error carries the request id
	withBody bool // the error's message holds the whole body rather than the message in it
}

// failed reports whether there is an error to be seen.
func (w want) failed() bool { return w.message != "" }

// extent is how much of the answer arrives.
type extent string

const (
	nothing   extent = "nothing"
	beginning extent = "the beginning"
	whole     extent = "all"
)

const (
	spent = "You have used up your daily free allocation of 10,000 neurons. " +
		"Please upgrade to Cloudflare's Workers Paid plan if you would like to continue usage."
	busy = "Capacity temporarily exceeded, please try again."
	cut  = "Upstream cut the stream, or sent nothing for too long, before it was complete."
)

// scenarios are in the order of the page.
var scenarios = []scenario{
	{
		name: "success", title: "A success",
		want: want{text: whole, requests: 1},
	},
	{
		name: "stream", title: "A stream", stream: true,
		want: want{text: whole, requests: 1},
	},
	{
		name: "spent", title: "The day's neurons are used up (3036)", simulate: "3036",
		want: want{
			text: nothing, requests: 1, status: http.StatusTooManyRequests, code: "insufficient_quota",
			number: 3036, message: spent,
		},
	},
	{
		name: "spent-stream", title: "The same, where a stream should begin", simulate: "first=3036", stream: true,
		want: want{
			text: nothing, requests: 1, status: http.StatusTooManyRequests, code: "insufficient_quota",
			number: 3036, message: spent,
		},
	},
	{
		name: "busy", title: "No capacity at first (3040), then an answer", simulate: "3040; times=1",
		want: want{text: whole, requests: 2},
	},
	{
		name: "bad-input", title: "Bad input (5006)", simulate: "5006",
		want: want{
			text: nothing, requests: 1, status: http.StatusBadRequest, code: "bad_input", number: 5006,
			message: "Bad input: Error: required properties at '/' are 'prompt'.",
		},
	},
	{
		name: "wrong-key", title: "The caller's own token is refused", wrongKey: true,
		want: want{
			text: nothing, requests: 1, status: http.StatusUnauthorized, code: "invalid_api_key", number: 10000,
			message: "Authentication error.",
		},
	},
	{
		name: "operator", title: "The proxy's token is refused", simulate: "10000",
		want: want{
			text: nothing, requests: 1, status: http.StatusBadGateway, code: "authentication_failed",
			number: 10000,
			message: "Cloudflare refuses this proxy's own API token; the caller's key is not at fault. " +
				"Whoever runs this proxy must replace it.",
		},
	},
	{
		name: "midstream-error", title: "A stream that fails on its way (3040)", simulate: "midstream=3040; after=8",
		stream: true,
		want:   want{text: beginning, requests: 1, code: "out_of_capacity", number: 3040, message: busy},
	},
	{
		name: "midstream-cut", title: "A stream that upstream cuts", simulate: "midstream=cut; after=8",
		stream: true,
		want:   want{text: beginning, requests: 1, code: "stream_interrupted", number: 90012, message: cut},
	},
}

// An errand is one scenario for one client: where to call, and with which headers.
type errand struct {
	Scenario string            `json:"scenario"`
	URL      string            `json:"url"` // of the proxy, without a slash at its end
	Key      string            `json:"key"`
	Stream   bool              `json:"stream"`
	Header   map[string]string `json:"header"`
	Slow     int               `json:"slow"` // milliseconds that the app takes for each piece of a stream
}

// pause is what the app does with a piece of a stream.
func (e errand) pause() { time.Sleep(time.Duration(e.Slow) * time.Millisecond) }

// A sight is what the user of an SDK saw of one scenario.
type sight struct {
	Scenario  string  `json:"scenario"`
	Text      string  `json:"text"`
	Finish    string  `json:"finish"`     // why the answer ended, in the SDK's own word; "" = it does not say
	Class     string  `json:"class"`      // of the error, as a program names it; "" = no error
	Status    int     `json:"status"`     // HTTP status that the error carries; 0 = none
	Code      string  `json:"code"`       // what a program can branch on; "" = nothing
	Message   string  `json:"message"`    // of the error, where the SDK keeps it for people
	RequestID string  `json:"request_id"` // that the error carries; "" = none
	Seconds   float64 `json:"seconds"`

	requests int // that reached the proxy, by its log
}
