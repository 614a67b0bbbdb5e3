package main

import (
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/admin"
	"github.com/neuronward/neuronward/cmd/neuronward/admin/status"
	"github.com/neuronward/neuronward/cmd/neuronward/bill"
	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/proxy"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/filestore"
	"github.com/neuronward/neuronward/quota/price"
)

// A costSite is one replica of a proxy on Workers Paid with its admin listener.
type costSite struct {
	t       *testing.T
	n       *quotas
	handler http.Handler
	stop    context.CancelFunc
}

func openCostSite(t *testing.T, store quota.Store, beat time.Duration, usd bill.Price) *costSite {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	c, err := config.Load(environ("NEURONWARD_PLAN=paid", "NEURONWARD_STORE=memory:"), new(config.Redactor))
	if err != nil {
		t.Fatal(err)
	}
	n, err := newQuotas(t.Context(), quota.Options{Store: store, Heartbeat: beat}, func() bool { return false },
		price.Bound, usd, func() error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	m := metrics.New(metrics.Build{})
	m.WatchQuota(n.gauges)
	p, err := proxy.New(proxyConfig(c, n, log, m))
	if err != nil {
		t.Fatal(err)
	}
	source := n.source(c)
	source.Proxy, source.Prices = p, func() status.Prices { return status.Prices{} }
	source.Settings = func() []config.Setting { return nil }
	source.Minutes = m.Minutes()
	red := new(config.Redactor)
	watching, stop := context.WithCancel(t.Context())
	go n.keepRecalling(watching)
	return &costSite{t, n, admin.Handler(admin.Options{
		Metrics: m.Handler(), Unready: func() string { return "" }, Status: source.Status, History: source.History,
		Minutes: m.Minutes(), Redact: func(w io.Writer) admin.Redactor { return red.Writer(w) },
		Setting: config.SettingName,
	}), stop}
}

func (s *costSite) close() {
	s.stop()
	if err := s.n.close(time.Minute, slog.New(slog.DiscardHandler)); err != nil {
		s.t.Error(err)
	}
}

func (s *costSite) spend(model, client string, micro int64) {
	s.t.Helper()
	n := quota.Neurons(micro)
	res, d, err := s.n.ledger.Reserve(s.t.Context(), quota.Call{
		Model: model, Client: client, CountClient: true, Estimate: n,
	})
	if err != nil || res == nil {
		s.t.Fatalf("Reserve() = %+v, %v, want a reservation", d, err)
	}
	res.Settle(quota.Cost{Neurons: n, Basis: quota.Reported})
}

func (s *costSite) get(path string) string {
	s.t.Helper()
	r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:3037"+path, http.NoBody)
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		s.t.Fatalf("%s: got %d %s, want 200", path, w.Code, w.Body)
	}
	return w.Body.String()
}

// A costLog is what the test itself has spent.
type costLog map[string]*costDay

// A costDay has micro-neurons by client, of which one is elsewhere, and the price of 1,000 neurons.
type costDay struct {
	clients map[string]int64
	usd     *big.Rat
}

// elsewhere stands for what was spent outside of the proxy, or lost with a process.
const elsewhere = "elsewhere"

// on returns a day.
func (l costLog) on(day string) *costDay {
	if l[day] == nil {
		l[day] = &costDay{clients: map[string]int64{}}
	}
	return l[day]
}

// bill is what Workers AI asks for these days: for what is beyond 10,000 neurons on each of them. client has a share
// in proportion; "" is all of it.
func (l costLog) bill(days string, client string) string {
	sum := new(big.Rat)
	for day, of := range l {
		if !strings.HasPrefix(day, days) {
			continue
		}
		whole, part := int64(0), int64(0)
		for name, n := range of.clients {
			whole += n
			if client == "" || name == client {
				part += n
			}
		}
		if paid := whole - 10_000_000_000; paid > 0 {
			usd := new(big.Rat).Mul(big.NewRat(paid, 1_000_000_000), of.usd)
			sum.Add(sum, usd.Mul(usd, big.NewRat(part, whole)))
		}
	}
	return sum.FloatString(2)
}

// agrees fails the test where one of the places that show dollars says something else than the bill.
func (s *costSite) agrees(l costLog, now time.Time, days int) {
	s.t.Helper()
	today, month := now.Format(time.DateOnly), now.Format("2006-01")
	wantDay, wantMonth := l.bill(today, ""), l.bill(month, "")
	is := func(where, got, want string) {
		s.t.Helper()
		equal(s.t, now.Format(time.RFC3339)+" "+where, got, want)
	}

	var r usageReport
	var h status.History
	parse(s.t, s.get("/status"), &r.Today)
	parse(s.t, s.get(fmt.Sprintf("/status/history?days=%d", days)), &h)
	r.Days = h.Days
	is("/status usd_today", r.Today.Cost.Today.String(), wantDay)
	is("/status usd_month", r.Today.Cost.Month.String(), wantMonth)
	for _, c := range r.Today.Clients {
		is("/status client "+c.Name, c.USD.String(), l.bill(today, c.Name))
	}
	for _, d := range r.Days {
		is("/status/history "+d.Day.String(), d.USD.String(), l.bill(d.Day.String(), ""))
	}
	contains(s.t, "usage", screen{}.usage(r, now),
		fmt.Sprintf("dollars   %*s  today, %s this month", numberWidth, wantDay, wantMonth))

	page := s.get("/")
	contains(s.t, "page", page, `data-figure="usd-today" data-value="`+wantDay+`">`)
	contains(s.t, "page", page, `data-figure="usd-month" data-value="`+wantMonth+`">`)

	series := s.get("/metrics")
	windows := map[string]string{"day": wantDay, "month": wantMonth}
	if f := r.Today.Cost.Forecast; f != nil {
		windows["month_forecast"] = f.String()
	}
	for window, want := range windows {
		of := regexp.MustCompile(`(?m)^neuronward_cost_usd\{window="` + window + `"\} (.*)$`)
		found := of.FindStringSubmatch(series)
		if found == nil {
			s.t.Fatalf("no series neuronward_cost_usd of the %s", window)
		}
		is("series of the "+window, toCents(s.t, found[1]), want)
	}

	rows, err := csv.NewReader(strings.NewReader(s.get(fmt.Sprintf("/status/history.csv?days=%d", days)))).ReadAll()
	if err != nil {
		s.t.Fatal(err)
	}
	is("CSV head", strings.Join(rows[0], ","), "day,model,client,calls,neurons,usd")
	sums := map[[2]string]float64{} // by month and client
	for _, row := range rows[1:] {
		usd, err := strconv.ParseFloat(row[5], 64)
		if err != nil {
			s.t.Fatal(err)
		}
		sums[[2]string{row[0][:7], ""}] += usd
		sums[[2]string{row[0][:7], cmp.Or(row[2], elsewhere)}] += usd
	}
	for of, usd := range sums {
		is(fmt.Sprintf("CSV of %q", of), strconv.FormatFloat(usd, 'f', 2, 64), l.bill(of[0], of[1]))
	}
}

func parse(t *testing.T, body string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(body), into); err != nil {
		t.Fatal(err)
	}
}

func toCents(t *testing.T, value string) string {
	t.Helper()
	f, err := strconv.ParseFloat(value, 64)
	if err != nil {
		t.Fatal(err)
	}
	return strconv.FormatFloat(f, 'f', 2, 64)
}

// Two replicas serve two clients over 62 days in three months, in which the price changes four times. They and their
// store are started anew every day, are there at some midnights, and share the account with others and with processes
// that died. All that shows dollars agrees to the cent, with each other and with the bill.
func TestDollarsAgreeWithTheBill(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	path := filepath.Join(t.TempDir(), "neurons")
	synctest.Test(t, func(t *testing.T) {
		const beat = 2 * time.Second
		prices := map[int]string{0: "0.011", 12: "0.02", 31: "0.0105", 44: "0", 50: "0.123456789"}
		spent, begin, usd := costLog{}, time.Now().UTC().Truncate(24*time.Hour), prices[0]
		for i := range quota.KeepDays {
			noon := begin.Add(time.Duration(i)*24*time.Hour + 12*time.Hour)
			time.Sleep(time.Until(noon))
			day := spent.on(noon.Format(time.DateOnly))
			store, err := filestore.Open(t.Context(), path, filestore.Options{})
			if err != nil {
				t.Fatal(err)
			}
			open := func() *costSite { return openCostSite(t, store, beat, costPrice(t, usd)) }
			a, b := open(), open()
			// From 4,000 to 60,000 neurons a day, with odd millionths.
			x := 2_800_000_007 + int64(i%5)*6_800_000_123 + int64(i%4)*333_333_333
			y := 1_200_000_001 + int64(i%3)*9_901_234_567
			spend := func() {
				a.spend("@cf/one", "alpha", x)
				b.spend("@cf/two", "beta", y)
				b.spend("@cf/one", "beta", y/3)
				day.clients["alpha"] += x
				day.clients["beta"] += y + y/3
			}
			spend()
			day.usd, _ = new(big.Rat).SetString(usd)
			changed := i > 0 && prices[i] != ""
			if changed { // one replica after the other is started with it
				usd = prices[i]
				day.usd, _ = new(big.Rat).SetString(usd)
				time.Sleep(time.Second)
				b.close()
				b = open()
			}
			if i%4 == 1 {
				beyond := spendElsewhere(t, store, quota.DayOf(noon), int64(i)*101_000_003)
				day.clients[elsewhere] += beyond
			}
			time.Sleep(2 * time.Minute)
			if changed || i%6 == 5 || noon.Day() == 1 || i == quota.KeepDays-1 {
				a.agrees(spent, time.Now().UTC(), quota.KeepDays)
				b.agrees(spent, time.Now().UTC(), quota.KeepDays)
			}
			if i%15 == 14 { // 30 and 31 January are among the others
				a.close()
				b.close()
				time.Sleep(time.Until(noon.Add(12*time.Hour - time.Minute)))
				a, b = open(), open()
				spend()
				time.Sleep(2 * time.Minute)
				day = spent.on(noon.Add(24 * time.Hour).Format(time.DateOnly))
				day.usd, _ = new(big.Rat).SetString(usd)
				spend()
				time.Sleep(2 * time.Minute)
				a.agrees(spent, time.Now().UTC(), quota.KeepDays)
				b.agrees(spent, time.Now().UTC(), quota.KeepDays)
			}
			if i == quota.KeepDays-1 {
				lacks(t, "status after whole days", a.get("/status"), `"usd_month_forecast": null`)
			}
			a.close()
			b.close()
			if err := store.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func costPrice(t *testing.T, text string) bill.Price {
	t.Helper()
	usd, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return bill.Price(usd)
}

// spendElsewhere has the account's own figure show n micro-neurons beyond the proxy, of which a third is gone by the
// next reading, and a process die that holds as many. It returns what counts.
func spendElsewhere(t *testing.T, store quota.Store, day quota.Day, n int64) int64 {
	t.Helper()
	for i, external := range []int64{n, n - n/3} {
		at := time.Now().Add(time.Duration(i) * time.Second).Truncate(time.Second)
		_, err := store.Sync(t.Context(), quota.Report{
			Day: day, Replica: "dies", Seq: uint64(i + 1),
			Requests: []quota.BudgetRequest{{Budget: quota.Account, Held: quota.Neurons(n)}},
			External: quota.External{Spent: quota.Neurons(external), At: at},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return n - n/3 + n
}
