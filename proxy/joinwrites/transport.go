package joinwrites

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
)

// Install lets the connections of a transport that was not used yet join their writes where HTTP/2 is spoken on them,
// over TLS. On those of HTTP/1.1 each write is made by whoever asks for it, but for the headers of a call without TLS,
// which go out with its body: net/http must learn that a connection which had been idle took nothing of a call, which
// it then makes on another one. t has a DialContext. What it is given in the place of its TLSClientConfig must name h2
// among its protocols, if it is to be spoken.
func Install(t *http.Transport) {
	dial := t.DialContext
	t.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return newConn(c), nil
	}
	t.CloseIdleConnections() // there are none: it makes net/http set TLSNextProto
	speak, speakOver := t.TLSNextProto["h2"], t.TLSNextProto["unencrypted_http2"]
	if speak == nil || speakOver == nil { // GODEBUG says so
		return
	}
	t.TLSNextProto["h2"] = func(authority string, over *tls.Conn) http.RoundTripper {
		below, ok := over.NetConn().(*conn)
		if !ok {
			return speak(authority, over)
		}
		return speakOver(authority, tls.Client(handover{newJoined(over, below)}, nil))
	}
}

// A handover stands below a *tls.Conn that is never used. net/http takes the connection out of it by
// UnencryptedNetConn, and asks that for its ConnectionState. So golang.org/x/net/http2 gets its connections, too.
type handover struct{ net.Conn }

func (h handover) UnencryptedNetConn() net.Conn { return h.Conn }
