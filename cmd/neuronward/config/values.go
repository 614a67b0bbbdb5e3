package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/neuronward/neuronward/quota/pace"
)

// The types below are the values that a variable can have. Their UnmarshalText says in one line what is wrong and what to
// write instead; a text that may hold a secret is never repeated in it.

// Shown quotes a value for a message, shortened where it is long.
func Shown(text []byte) string {
	const most = 48
	if len(text) > most {
		return strconv.Quote(string(text[:most]) + "…")
	}
	return strconv.Quote(string(text))
}

// size is a number of bytes, above 0.
type size int64

type unit struct {
	name  string
	bytes int64
}

func units() []unit {
	return []unit{
		{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"B", 1},
	}
}

func (s *size) UnmarshalText(text []byte) error {
	const want = "write a number of bytes or one with a unit, such as 32MiB, 1GiB or 500kB"
	digits, factor := string(text), int64(1)
	for _, u := range units() {
		if n := len(digits) - len(u.name); n > 0 && strings.EqualFold(digits[n:], u.name) {
			digits, factor = digits[:n], u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	switch {
	case err != nil:
		return fmt.Errorf("%s is not a size; %s", Shown(text), want)
	case n <= 0:
		return fmt.Errorf("%s is not above 0; %s", Shown(text), want)
	case n > math.MaxInt64/factor:
		return fmt.Errorf("%s is too large; %s", Shown(text), want)
	}
	*s = size(n * factor)
	return nil
}

func (s size) String() string {
	for _, u := range units() {
		if int64(s)%u.bytes == 0 && u.bytes%1024 == 0 {
			return strconv.FormatInt(int64(s)/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// limit is a time above 0; wait is one that may be 0.
type (
	limit time.Duration
	Wait  time.Duration
)

func (l *limit) UnmarshalText(text []byte) error {
	d, err := parseDuration(text)
	if err == nil && d == 0 {
		return fmt.Errorf("%s is not above 0; write a time such as 30s, 5m or 1h30m", Shown(text))
	}
	*l = limit(d)
	return err
}

func (w *Wait) UnmarshalText(text []byte) error {
	d, err := parseDuration(text)
	*w = Wait(d)
	return err
}

func (l limit) String() string { return ShowDuration(time.Duration(l)) }
func (w Wait) String() string  { return ShowDuration(time.Duration(w)) }

func parseDuration(text []byte) (time.Duration, error) {
	d, err := time.ParseDuration(string(text))
	if err != nil {
		if _, number := strconv.ParseFloat(string(text), 64); number == nil {
			return 0, fmt.Errorf("%s has no unit; write a time such as %ss, 5m or 1h30m", Shown(text), text)
		}
		return 0, fmt.Errorf("%s is not a time; write one such as 30s, 5m or 1h30m", Shown(text))
	}
	if d < 0 {
		return 0, fmt.Errorf("%s is below 0; write a time such as 30s, 5m or 1h30m", Shown(text))
	}
	return d, nil
}

// ShowDuration writes 6m0s as 6m.
func ShowDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// toggle is true or false.
type toggle bool

func (t *toggle) UnmarshalText(text []byte) error {
	b, err := strconv.ParseBool(string(text))
	if err != nil {
		return fmt.Errorf("%s is neither true nor false; write one of them", Shown(text))
	}
	*t = toggle(b)
	return nil
}

// count is a whole number from 0 on; atLeastOne one from 1 on.
type (
	count      int64
	atLeastOne int64
)

func (c *count) UnmarshalText(text []byte) error {
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil || n < 0 {
		return fmt.Errorf("%s is not a whole number from 0 on; write one such as 2", Shown(text))
	}
	*c = count(n)
	return nil
}

func (c *atLeastOne) UnmarshalText(text []byte) error {
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil || n < 1 {
		return fmt.Errorf("%s is not a whole number from 1 on; write one such as 1024", Shown(text))
	}
	*c = atLeastOne(n)
	return nil
}

// mostNeurons is far more than an account can spend in a day.
const mostNeurons = 1e9

// amount is a number of neurons from 0 to mostNeurons.
type amount float64

func (a *amount) UnmarshalText(text []byte) error {
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil || !(f >= 0) || f > mostNeurons {
		return fmt.Errorf("%s is not a number of neurons; write one such as 10000, or 0 for no ceiling", Shown(text))
	}
	*a = amount(f)
	return nil
}

func (a amount) String() string { return strconv.FormatFloat(float64(a), 'f', -1, 64) }

// share is a part of a whole, from 0 to 1.
type share float64

func (s *share) UnmarshalText(text []byte) error {
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil || !(f >= 0 && f <= 1) {
		return fmt.Errorf("%s is not a share; write a number from 0 to 1, such as 0.2", Shown(text))
	}
	*s = share(f)
	return nil
}

// rates are requests a minute by task or model.
type rates struct {
	pace.Table
	text string // as it was given
}

func (r *rates) UnmarshalText(text []byte) (err error) {
	r.text = string(text)
	r.Table, err = pace.ParseTable(r.text)
	return err
}

func (r rates) String() string {
	if r.text == "" {
		return "Cloudflare's table"
	}
	return r.text
}
