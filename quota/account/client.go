package account

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

const (
	maxAnswer = 8 << 20          // bytes of one answer; a page of models has well below 1 MiB
	timeout   = 30 * time.Second // of one request with its answer
)

// Config is what a Client needs.
type Config struct {
	API       *url.URL          // such as https://api.cloudflare.com/client/v4
	Account   string            // id of the account
	Token     func() string     // called for each request; it may change
	Transport http.RoundTripper // nil: http.DefaultTransport's settings, on connections of its own
	OnDate    func(time.Time)   // called with the Date of each answer that no cache made old; may be nil
}

// A Client reads the figures of one account with one token. It is safe for many
// goroutines. Each request takes at most 30 seconds.
type Client struct {
	api     url.URL
	account string
	token   func() string
	onDate  func(time.Time)
	http    http.Client
}

// New returns a Client, or an error that says what is wrong with c. A token is
// not sent unencrypted to another machine.
func New(c Config) (*Client, error) {
	switch {
	case c.API == nil || c.API.Host == "":
		return nil, errors.New("account: Config.API is no absolute URL")
	case c.Account == "":
		return nil, errors.New("account: Config.Account is empty")
	case c.Token == nil:
		return nil, errors.New("account: Config.Token is nil")
	case c.API.Scheme != "https" && !loopback(c.API.Hostname()):
		return nil, errors.New("account: Config.API would take the token unencrypted to another machine")
	}
	if c.Transport == nil {
		own := http.DefaultTransport.(*http.Transport).Clone()
		own.MaxIdleConns, own.IdleConnTimeout = 2, time.Minute
		c.Transport = own
	}
	return &Client{
		api: *c.API, account: c.Account, token: c.Token, onDate: c.OnDate,
		http: http.Client{
			Transport: c.Transport, Timeout: timeout,
			// A token is for the host that it was meant for.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback() || strings.EqualFold(host, "localhost")
}

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// A message is an entry of errors in Cloudflare's answers.
type message struct {
	Code    json.Number `json:"code"`
	Message string      `json:"message"`
}

// UnmarshalJSON takes a code of any type: of some services it is a string.
func (m *message) UnmarshalJSON(data []byte) error {
	var raw struct {
		Code    json.RawMessage `json:"code"`
		Message string          `json:"message"`
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	m.Message, m.Code = raw.Message, json.Number(strings.Trim(string(raw.Code), `"`))
	return nil
}

// An envelope is the form of every answer but GraphQL's.
type envelope struct {
	Result  json.RawMessage `json:"result"`
	Success bool            `json:"success"`
	Errors  []message       `json:"errors"`
	Info    struct {
		Total int `json:"total_count"`
	} `json:"result_info"`
}

// An answer is a whole answer, whatever its status.
type answer struct {
	status     int
	body       []byte
	retryAfter time.Duration
	date       time.Time // by the server's clock; zero: it does not say

	sent, received time.Time // by our clock
}

// send makes one request; path is below the API. The error is an *Error of kind
// Unreachable, Canceled, NoToken or Garbled.
func (c *Client) send(ctx context.Context, method, path string, query url.Values, body any) (answer, error) {
	token := c.token()
	if token == "" {
		return answer{}, &Error{Kind: NoToken, Path: path, Message: "there is no token"}
	}
	u := c.api
	u.Path, u.RawPath, u.RawQuery = u.Path+path, "", query.Encode()
	var reader io.Reader = http.NoBody
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			panic(err) // all of them are types of this package
		}
		reader = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, u.String(), reader)
	if err != nil {
		return answer{}, unreachable(ctx, path, err)
	}
	r.Header["Authorization"] = []string{"Bearer " + token}
	r.Header["Accept"] = []string{"application/json"}
	if body != nil {
		r.Header["Content-Type"] = []string{"application/json"}
	}
	a := answer{sent: time.Now()}
	res, err := c.http.Do(r)
	if err != nil {
		return answer{}, unreachable(ctx, path, err)
	}
	defer res.Body.Close()
	a.received, a.status = time.Now(), res.StatusCode
	a.retryAfter = retryAfter(res.Header.Get("Retry-After"), a.received)
	if date, err := http.ParseTime(res.Header.Get("Date")); err == nil && res.Header.Get("Age") == "" {
		a.date = date
		if c.onDate != nil {
			c.onDate(date)
		}
	}
	a.body, err = io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case err != nil:
		return a, unreachable(ctx, path, err)
	case len(a.body) > maxAnswer:
		return a, a.garbled(path, fmt.Sprintf("the answer is larger than %d MiB", maxAnswer>>20))
	}
	return a, nil
}

// ask is send for an answer in Cloudflare's envelope, which must be a success. It
// decodes what the envelope holds into result.
func (c *Client) ask(ctx context.Context, method, path string, query url.Values, result any) (envelope, answer, error) {
	a, err := c.send(ctx, method, path, query, nil)
	if err != nil {
		return envelope{}, a, err
	}
	var e envelope
	if err := json.Unmarshal(a.body, &e); err != nil {
		return e, a, a.refused(path, nil)
	}
	if a.status != http.StatusOK || !e.Success {
		return e, a, a.refused(path, e.Errors)
	}
	if err := json.Unmarshal(e.Result, result); err != nil {
		return e, a, a.garbled(path, "the result has an unknown form")
	}
	return e, a, nil
}
