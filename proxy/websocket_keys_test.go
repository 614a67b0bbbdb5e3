package proxy

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/neuronward/neuronward/proxy/clients"
)

// A handshake is what upstream has seen of one.
type handshake struct {
	uri    string
	header http.Header
}

// newHandshakes is a proxy in front of an upstream that switches and says goodbye.
func newHandshakes(t *testing.T, change ...func(*Config)) (*bench, *handshake) {
	seen := new(handshake)
	return newBench(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen.uri, seen.header = r.RequestURI, r.Header
		conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{
			Subprotocols: []string{"token", "other"}, CompressionMode: websocket.CompressionContextTakeover,
		})
		if err != nil {
			t.Error(err)
			return
		}
		conn.Close(websocket.StatusNormalClosure, "")
	}), change...), seen
}

func TestKeysOfSessions(t *testing.T) {
	key := clients.NewKey()
	set, err := clients.Parse("clients.yaml", []byte("clients:\n  - name: a\n    key_sha256: "+key.SHA256+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	ai := "/client/v4/accounts/" + testAccount + "/ai/run/" + nova
	for _, c := range []struct {
		name, query, want string
		header            http.Header
		protocols         []string
		chosen            string
	}{
		{name: "in a header", header: http.Header{"Authorization": {"Bearer " + key.Secret}}},
		{name: "in the gateway's header", header: http.Header{"Cf-Aig-Authorization": {key.Secret}}},
		{name: "in the query", query: "?b=2&api_key=" + key.Secret + "&a=%41&b=1", want: "?b=2&a=%41&b=1"},
		{name: "alone in the query", query: "?cf-aig-authorization=" + url.QueryEscape(key.Secret)},
		{
			name: "as a subprotocol", protocols: []string{"cf-aig-authorization." + key.Secret},
			chosen: "cf-aig-authorization." + key.Secret,
		},
		{
			name: "as one of the subprotocols", protocols: []string{"cf-aig-authorization." + key.Secret, "other"},
			chosen: "other",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, seen := newHandshakes(t, func(c *Config) { c.Clients = func() *clients.Set { return set } })
			conn, _, err := websocket.Dial(t.Context(), b.url+"/run/"+nova+c.query, &websocket.DialOptions{
				HTTPHeader: c.header, Subprotocols: c.protocols, CompressionMode: websocket.CompressionContextTakeover,
			})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.CloseNow()
			wantEqual(t, "chosen protocol", conn.Subprotocol(), c.chosen)
			_, code, _ := b.readToEnd(conn)
			wantEqual(t, "close code", code, websocket.StatusNormalClosure)
			wantEqual(t, "upstream's URI", seen.uri, ai+c.want)
			wantEqual(t, "upstream's token", seen.header.Get("Authorization"), "Bearer "+testToken)
			wantEqual(t, "upstream's extensions", seen.header.Get("Sec-WebSocket-Extensions"), "")
			all := seen.uri
			for name, values := range seen.header {
				all += name + strings.Join(values, "")
			}
			wantLacks(t, "upstream's headers", all, key.Secret)
			b.ended()
			wantLacks(t, "log", b.log.String(), key.Secret)
			wantHas(t, "log", b.log.String(), `"client":"a"`)
		})
	}
	b, _ := newHandshakes(t, func(c *Config) { c.Clients = func() *clients.Set { return set } })
	for _, query := range []string{"", "?api_key=nwk_wrong", "?api_key=" + key.Secret + "x"} {
		_, res, err := websocket.Dial(t.Context(), b.url+"/run/"+nova+query, nil)
		if err == nil || res.StatusCode != http.StatusUnauthorized {
			t.Errorf("query %q: got %v (%v), want 401", query, res, err)
		}
	}
}

// Without a clients file a key is the caller's own, which is for an AI Gateway alone.
func TestOwnKeysOfSessions(t *testing.T) {
	for _, c := range []struct{ upstream, query, want string }{
		{"/client/v4", "?api_key=own-key-of-a-caller", ""},
		{"/v1/" + testAccount + "/gate", "?api_key=own-key-of-a-caller", "Bearer own-key-of-a-caller"},
		{"/v1/" + testAccount + "/gate", "?api_key=own%0d%0aX-Other:%20key", ""},
	} {
		b, seen := newHandshakes(t, func(config *Config) {
			config.Upstream = config.Upstream.ResolveReference(&url.URL{Path: c.upstream})
			config.GatewayToken = func() string { return "" }
		})
		conn := b.dial("/run/" + nova + c.query)
		b.readToEnd(conn)
		wantEqual(t, c.upstream+c.query, seen.header.Get("Cf-Aig-Authorization"), c.want)
		b.ended()
	}
}

func TestPathsOfSessions(t *testing.T) {
	rest, gateway := "/client/v4/accounts/"+testAccount+"/ai/run/"+nova, "/v1/"+testAccount+"/gate/workers-ai"
	asked := gateway + "?b=1&model=" + nova + "&a=2"
	for _, c := range []struct{ upstream, path, want string }{
		{"/client/v4", "/run/" + nova + "?a=1&keyterm=b&keyterm=a", rest + "?a=1&keyterm=b&keyterm=a"},
		{"/client/v4", "/ai/run/workers-ai/" + nova, rest},
		{"/client/v4", rest + "?x=%2F+%20", rest + "?x=%2F+%20"},
		{"/client/v4", gateway + "?b=1&model=" + nova + "&a=2", rest + "?b=1&a=2"},
		{"/client/v4", "/workers-ai?model=" + url.QueryEscape(nova), rest},
		{"/v1/" + testAccount + "/gate", asked, asked},
		{"/v1/" + testAccount + "/gate", "/run/" + nova + "?b=1&a=2", gateway + "?model=" + nova + "&b=1&a=2"},
		{"/v1/" + testAccount + "/gate", "/run/" + nova, gateway + "?model=" + nova},
	} {
		b, seen := newHandshakes(t, func(config *Config) {
			config.Upstream = config.Upstream.ResolveReference(&url.URL{Path: c.upstream})
			config.GatewayToken = func() string { return "gateway-token" }
		})
		conn := b.dial(c.path)
		b.readToEnd(conn)
		wantEqual(t, c.path+": upstream's URI", seen.uri, c.want)
		if strings.HasPrefix(c.upstream, "/v1/") {
			wantEqual(t, c.path+": gateway's token", seen.header.Get("Cf-Aig-Authorization"), "Bearer gateway-token")
		}
		b.ended()
	}
}
