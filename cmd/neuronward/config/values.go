package config

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"github.com/neuronward/neuronward/proxy/modelname"
	"github.com/neuronward/neuronward/proxy/outputlimit"
	"github.com/neuronward/neuronward/quota/pace"
)

// parsers returns how the types of Config are read. Each error says in one line what is wrong and what to write
// instead; a text that may hold a secret is never repeated in it. Numbers are read by the library: validate says what
// is wrong.
func parsers() map[reflect.Type]env.ParserFunc {
	return map[reflect.Type]env.ParserFunc{
		reflect.TypeFor[bool]():           parseBool,
		reflect.TypeFor[time.Duration]():  parseDuration,
		reflect.TypeFor[int64]():          parseSize,
		reflect.TypeFor[url.URL]():        parseURL,
		reflect.TypeFor[[]string]():       parseHosts,
		reflect.TypeFor[modelname.List](): parseModels,
		reflect.TypeFor[Secret]():         parseSecret,
		reflect.TypeFor[Store]():          parseStore,
		reflect.TypeFor[pace.Table]():     func(text string) (any, error) { return pace.ParseTable(text) },

		reflect.TypeFor[outputlimit.Default](): func(text string) (any, error) {
			return outputlimit.Parse(text, quoted)
		},
	}
}

// quoted quotes a value for a message, shortened where it is long.
func quoted(text string) string {
	const maxLength = 48
	if len(text) > maxLength {
		return strconv.Quote(text[:maxLength] + "…")
	}
	return strconv.Quote(text)
}

func parseBool(text string) (any, error) {
	b, err := strconv.ParseBool(text)
	if err != nil {
		return nil, fmt.Errorf("%s is neither true nor false; write one of them", quoted(text))
	}
	return b, nil
}

// parseDuration reads a time that is not below 0.
func parseDuration(text string) (any, error) {
	d, err := time.ParseDuration(text)
	if err != nil {
		if _, number := strconv.ParseFloat(text, 64); number == nil {
			return nil, fmt.Errorf("%s has no unit; write a time such as %ss, 5m or 1h30m", quoted(text), text)
		}
		return nil, fmt.Errorf("%s is not a time; write one such as 30s, 5m or 1h30m", quoted(text))
	}
	if d < 0 {
		return nil, fmt.Errorf("%s is below 0; write a time such as 30s, 5m or 1h30m", quoted(text))
	}
	return d, nil
}

// ShortDuration writes 6m0s as 6m.
func ShortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// units are those of a size, those in which it is written first.
var units = [...]struct {
	name  string
	bytes int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"B", 1}}

// parseSize reads a number of bytes above 0.
func parseSize(text string) (any, error) {
	const want = "write a number of bytes or one with a unit, such as 32MiB, 1GiB or 500kB"
	digits, factor := text, int64(1)
	for _, u := range units {
		if n := len(digits) - len(u.name); n > 0 && strings.EqualFold(digits[n:], u.name) {
			digits, factor = digits[:n], u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s is not a size; %s", quoted(text), want)
	case n <= 0:
		return nil, fmt.Errorf("%s is not above 0; %s", quoted(text), want)
	case n > math.MaxInt64/factor:
		return nil, fmt.Errorf("%s is too large; %s", quoted(text), want)
	}
	return n * factor, nil
}

func sizeText(bytes int64) string {
	for _, u := range units {
		if bytes%u.bytes == 0 && u.bytes%1024 == 0 {
			return strconv.FormatInt(bytes/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(bytes, 10)
}

// parseURL reads an http or https URL without user, query and fragment, and cuts slashes at its end.
func parseURL(text string) (any, error) {
	const want = "write one such as https://api.cloudflare.com/client/v4"
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, errors.New("is not a URL; " + want)
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("does not begin with http:// or https://; " + want)
	case u.Hostname() == "":
		return nil, errors.New("has no host; " + want)
	case u.User != nil:
		return nil, errors.New("holds a user or a password; put the token into CLOUDFLARE_API_TOKEN and " + want)
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, errors.New("has a query or a fragment; " + want)
	}
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), strings.TrimRight(u.RawPath, "/")
	return *u, nil
}

// parseModels reads patterns of models with commas between them.
func parseModels(text string) (any, error) {
	var list modelname.List
	for item := range strings.SplitSeq(text, ",") {
		p, err := modelname.ParsePattern(strings.TrimSpace(item), quoted)
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, nil
}

// parseHosts reads host names with commas between them.
func parseHosts(text string) (any, error) {
	var hosts []string
	for name := range strings.SplitSeq(text, ",") {
		name = strings.ToLower(strings.TrimSpace(name))
		if _, err := netip.ParseAddr(name); err != nil && !hostName(name) {
			return nil, fmt.Errorf(
				"%s is not a list of host names; write names alone, such as ai.internal,ai.example.com", quoted(text))
		}
		hosts = append(hosts, name)
	}
	return hosts, nil
}
