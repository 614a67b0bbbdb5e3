package page

import (
	"html/template"
	"strconv"
	"strings"

	"github.com/neuronward/neuronward/proxy"
)

// A lastRow is one failed call.
type lastRow struct {
	Key                                  string // tells it from every other
	Time                                 template.HTML
	Number, Slug, Status                 string
	Origin, Fault                        string
	Client, Model, Route, RequestID, Age string
}

// originWords says who failed a call.
var originWords = map[string]string{"upstream": "Workers AI", "guard": "refused here", "proxy": "failed here"}

// lastOf returns the failures that match a filter, and how many there are.
func lastOf(all []proxy.FailureRecord, filter string) []lastRow {
	words := strings.Fields(strings.ToLower(filter))
	rows := make([]lastRow, 0, len(all))
	for i := range all {
		f := &all[i]
		r := lastRow{
			Key: f.RequestID + " " + strconv.FormatInt(f.Time.UnixMicro(), 36), Time: bare(f.Time),
			Number: strconv.Itoa(f.Number), Slug: f.Name, Status: strconv.Itoa(f.Status),
			Origin: originWords[f.Origin], Fault: f.Fault, Client: f.Client, Model: f.Model, Route: f.Route, RequestID: f.RequestID,
		}
		if r.Model == "" {
			r.Model = "–"
		}
		if f.Status == 0 {
			r.Status = "–"
		}
		if r.matches(words) {
			rows = append(rows, r)
		}
	}
	return rows
}

// matches reports whether each word is somewhere in the row. The script does the
// same.
func (r *lastRow) matches(words []string) bool {
	text := strings.ToLower(strings.Join([]string{string(r.Time), r.Number, r.Slug, r.Status, r.Origin, r.Fault, r.Client, r.Model, r.Route, r.RequestID}, " "))
	for _, w := range words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}
