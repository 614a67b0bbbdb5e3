package headers

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/proxy/clients"
)

const ourToken, ourGatewayToken = "operators-token", "operators-gateway-token"

func operator(token, gatewayToken string) *Credentials {
	return &Credentials{
		Token: func() string { return token }, GatewayToken: func() string { return gatewayToken }, ClientKeys: true,
	}
}

// forward sends a call with the given headers upstream.
func forward(cr *Credentials, target string, h http.Header, client *clients.Client, gateway bool) *http.Request {
	in := httptest.NewRequest(http.MethodPost, target, nil)
	in.Header = h
	out := in.Clone(in.Context())
	cr.Forward(out, in, client, gateway)
	return out
}

func TestForward(t *testing.T) {
	t.Parallel()
	const key = clients.KeyPrefix + "0123456789"
	known := clients.NewKey()
	set, err := clients.Parse("clients.yaml", []byte("clients:\n  - name: a\n    key_sha256: "+known.SHA256+
		"\n    gateway_headers: [cf-aig-cache-key]\n"))
	if err != nil {
		t.Fatal(err)
	}
	caching := set.Lookup(known.Secret)
	for _, c := range []struct {
		name        string
		credentials *Credentials
		caller      http.Header
		client      *clients.Client
		gateway     bool
		want        http.Header
	}{
		{
			name: "what is for this proxy alone, or for the edge", credentials: operator("", ""),
			caller: http.Header{
				"Expect": {"100-continue"}, "Upgrade": {"h2c"}, "Connection": {"Upgrade"}, "Cookie": {"a=b"},
				"Cf-Connecting-Ip": {"1.2.3.4"}, "X-Forwarded-For": {"1.2.3.4"}, "Cf-Access-Client-Id": {"x"},
				"Accept": {"*/*"}, "Payment-Signature": {"x"},
			},
			want: http.Header{"Accept": {"*/*"}, "Payment-Signature": {"x"}},
		},
		{
			name: "the caller's own credentials", credentials: operator("", ""),
			caller: http.Header{"Authorization": {"Bearer own-token-of-caller"}, "X-Copy": {"own-token-of-caller"}},
			want:   http.Header{"Authorization": {"Bearer own-token-of-caller"}},
		},
		{
			name: "our token", credentials: operator(ourToken, ""),
			caller: http.Header{
				"Authorization": {"Bearer own"}, "X-Api-Key": {key}, "X-Auth-Email": {"a@b"}, "X-Copy": {ourToken},
				"Payment-Signature": {"x"},
			},
			want: http.Header{"Authorization": {"Bearer " + ourToken}},
		},
		{
			name: "a key that stands where a name belongs", credentials: operator(ourToken, ""),
			caller: http.Header{"Nwk_0123456789": {"x"}, "X-Nwk_0123456789": {"x"}, "Accept": {"*/*"}},
			want:   http.Header{"Authorization": {"Bearer " + ourToken}, "Accept": {"*/*"}},
		},
		{
			name: "our gateway's token, to a gateway", credentials: operator("", ourGatewayToken), gateway: true,
			caller: http.Header{"Cf-Aig-Authorization": {"Bearer own"}},
			want:   http.Header{"Cf-Aig-Authorization": {"Bearer " + ourGatewayToken}},
		},
		{
			name: "our gateway's token, to the API", credentials: operator("", ourGatewayToken),
			caller: http.Header{"Cf-Aig-Authorization": {"Bearer own"}}, want: http.Header{},
		},
		{
			name: "a client of the clients file", credentials: operator("", ""), client: &clients.Client{Name: "a"},
			caller: http.Header{
				"Cf-Aig-Cache-Ttl": {"60"}, "Cf-Aig-Max-Attempts": {"5"}, "Cf-Aig-Metadata": {`{"team":"x"}`},
				"Cf-Aig-Cache-Key": {"k"},
			},
			want: http.Header{
				"Cf-Aig-Cache-Ttl": {"60"}, "Cf-Aig-Metadata": {`{"neuronward_client":"a","team":"x"}`},
			},
		},
		{
			name: "several cache keys", credentials: operator("", ""), client: caching,
			caller: http.Header{"Cf-Aig-Cache-Key": {"", "b/k"}},
			want:   http.Header{"Cf-Aig-Cache-Key": {"a/"}, "Cf-Aig-Metadata": {`{"neuronward_client":"a"}`}},
		},
	} {
		got := forward(c.credentials, "/", c.caller, c.client, c.gateway).Header
		if !maps.EqualFunc(got, c.want, slices.Equal) {
			t.Errorf("%s: Forward(%v) sends %v, want %v", c.name, c.caller, got, c.want)
		}
	}
}

func TestForwardTakesSecretsOutOfTheQuery(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		"keep=1&k=" + ourToken:                     "keep=1",
		"keep=1&" + clients.KeyPrefix + "abc=1":    "keep=1",
		"keep=1&k=%6ewk_" + strings.Repeat("a", 8): "keep=1",
		"keep=1&b=2":                         "keep=1&b=2",
		"b=2&k=" + ourToken + "&a=%41&b=1&b": "b=2&a=%41&b=1&b",
		"b=%zz&k=" + ourToken + "&a=1":       "a=1",
	} {
		if got := forward(operator(ourToken, ""), "/?"+query, http.Header{}, nil, false).URL.RawQuery; got != want {
			t.Errorf("query %q: Forward sends %q, want %q", query, got, want)
		}
	}
}

func TestAuthorization(t *testing.T) {
	t.Parallel()
	own := http.Header{"Authorization": {"Bearer own"}}
	for _, c := range []struct {
		token  string
		caller http.Header
		want   []string
	}{
		{ourToken, own, []string{"Bearer " + ourToken}},
		{"", own, []string{"Bearer own"}},
		{"", http.Header{}, nil},
	} {
		if got := operator(c.token, "").Authorization(c.caller); !slices.Equal(got, c.want) {
			t.Errorf("Authorization(%v) with the token %q = %q, want %q", c.caller, c.token, got, c.want)
		}
	}
}

func TestRedact(t *testing.T) {
	t.Parallel()
	text := "ours " + ourToken + ", own own-token-of-caller, key " + clients.KeyPrefix + "abc, short abc"
	got := operator(ourToken, "").Redact(text, http.Header{
		"Authorization": {"Bearer  own-token-of-caller "}, "X-Api-Key": {"abc"},
	})
	for _, secret := range []string{ourToken, "own-token-of-caller", clients.KeyPrefix + "abc"} {
		if strings.Contains(got, secret) {
			t.Errorf("Redact(%q) = %q, want it without %q", text, got, secret)
		}
	}
	if !strings.HasSuffix(got, "short abc") {
		t.Errorf("Redact(%q) = %q, want %q kept: it is too short for a secret", text, got, "short abc")
	}
}

func TestFilterAnswer(t *testing.T) {
	t.Parallel()
	h := http.Header{
		"Connection": {"close, X-Hop", "X-Second"}, "X-Hop": {"1"}, "X-Second": {"1"}, "Content-Type": {"text/plain"},
		"Access-Control-Allow-Origin": {"*"}, "Keep-Alive": {"timeout=5"}, "Proxy-Authenticate": {"Basic"},
		"Upgrade": {"h2c"}, "Trailer": {"X-Last"},
	}
	FilterAnswer(h)
	want := http.Header{"Content-Type": {"text/plain"}}
	if !maps.EqualFunc(h, want, slices.Equal) {
		t.Errorf("FilterAnswer leaves %v, want %v", h, want)
	}
}

func TestRequestID(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		header http.Header
		kept   bool
	}{
		{"none", http.Header{}, false},
		{"a safe one", http.Header{"X-Request-Id": {"aZ09-_.:/+="}}, true},
		{"two", http.Header{"X-Request-Id": {"a", "b"}}, false},
		{"empty", http.Header{"X-Request-Id": {""}}, false},
		{"a space", http.Header{"X-Request-Id": {"a b"}}, false},
		{"128 bytes", http.Header{"X-Request-Id": {strings.Repeat("a", 128)}}, true},
		{"129 bytes", http.Header{"X-Request-Id": {strings.Repeat("a", 129)}}, false},
		{"a key of ours", http.Header{"X-Request-Id": {clients.KeyPrefix + "abc"}}, false},
		{
			"the caller's credential",
			http.Header{"X-Request-Id": {"12345678"}, "Authorization": {"Bearer 12345678"}},
			false,
		},
		{
			"the caller's credential among other text",
			http.Header{"X-Request-Id": {"id=12345678/1"}, "X-Api-Key": {"12345678"}},
			false,
		},
		{"our token", http.Header{"X-Request-Id": {ourToken}}, false},
		{"our gateway's token among other text", http.Header{"X-Request-Id": {"a-" + ourGatewayToken}}, false},
	} {
		got := operator(ourToken, ourGatewayToken).RequestID(c.header)
		if kept := got == c.header.Get("X-Request-Id") && got != ""; kept != c.kept {
			t.Errorf("%s: RequestID(%v) = %q, kept %v, want %v", c.name, c.header, got, kept, c.kept)
		}
		if !c.kept && len(got) != 32 {
			t.Errorf("%s: RequestID(%v) = %q, want 32 hexadecimal digits", c.name, c.header, got)
		}
	}
}

func TestAnswersShowNoSecret(t *testing.T) {
	t.Parallel()
	key := clients.KeyPrefix + strings.Repeat("a", 8)
	answer := http.Header{
		"Content-Type": {"application/json"},
		"X-Ours":       {"kept", "token=" + ourToken},
		"X-Theirs":     {"a callers-own-key z"},
		"X-Key":        {key},
		"X-Short":      {"callers"},
	}
	operator(ourToken, "").RemoveFrom(answer, http.Header{"X-Api-Key": {"callers-own-key"}})
	want := http.Header{"Content-Type": {"application/json"}, "X-Short": {"callers"}}
	if !maps.EqualFunc(answer, want, slices.Equal) {
		t.Errorf("RemoveFrom() leaves %v, want %v", answer, want)
	}
}

func TestOwn(t *testing.T) {
	t.Parallel()
	var own Own
	own.Set("Request-Id", "1")
	own.Set("Ratelimit", "2")
	own.Set("Request-Id", "3")
	h := http.Header{"Request-Id": {"upstream's"}, "X-Other": {"4"}}
	own.CopyTo(h)
	h.Add("Request-Id", "5")
	want := http.Header{"Request-Id": {"3", "5"}, "Ratelimit": {"2"}, "X-Other": {"4"}}
	if !maps.EqualFunc(h, want, slices.Equal) {
		t.Errorf("got %v, want %v", h, want)
	}
}
