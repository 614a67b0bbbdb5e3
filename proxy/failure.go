package proxy

import (
	"strconv"
	"strings"
	"time"

	"github.com/neuronward/neuronward/normalize"
)

// refuse returns a failure of a call that this proxy does not let through. message "" is the catalog's.
func refuse(code normalize.Code, message, param string) *normalize.Failure {
	return &normalize.Failure{
		Code: code, Message: message, Param: param, Origin: normalize.OriginGuard, MatchedBy: normalize.MatchedRequest,
	}
}

func forbidden(message string) *normalize.Failure {
	return refuse(normalize.ClientForbidden, message, "")
}

// unable returns a failure of this proxy's own, or of its connections. message "" is the catalog's.
func unable(code normalize.Code, message string, err error) *normalize.Failure {
	return &normalize.Failure{
		Code: code, Message: message, Origin: normalize.OriginProxy, MatchedBy: normalize.MatchedTransport, Err: err,
	}
}

// clip bounds a caller's string before it enters a message.
func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return s[:limit] + "…"
}

func quoted(s string) string { return `"` + clip(s, 100) + `"` }

// durationText is a duration for people: "6m", not "6m0s".
func durationText(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

// bytesText is a size for people, in the units of the configuration.
func bytesText(n int64) string {
	for _, u := range []struct {
		size int64
		name string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if n >= u.size && n%u.size == 0 {
			return strconv.FormatInt(n/u.size, 10) + " " + u.name
		}
	}
	return strconv.FormatInt(n, 10) + " bytes"
}
