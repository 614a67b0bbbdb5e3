package page

import (
	"fmt"

	"github.com/neuronward/neuronward/cmd/neuronward/admin/status"
)

// An hourRow is a row of the table that says what the curve shows.
type hourRow struct{ Until, Today, Yesterday string }

const unknown = "–"

// hourRows are the hours of which anything is known, and now.
func hourRows(t *status.Today, points []point) []hourRow {
	last := points[len(points)-1]
	var rows []hourRow
	for hour := 1; hour <= 24; hour++ {
		r := hourRow{Until: fmt.Sprintf("%02d:00", hour), Today: unknown, Yesterday: unknown}
		if at := float64(60 * hour); at <= last.at {
			r.Today = spentBy(points, at)
		}
		if y := t.Yesterday; y != nil && hour <= len(y.Hours) {
			r.Yesterday = amount(*y.Hours[hour-1])
		}
		if r.Today != unknown || r.Yesterday != unknown {
			rows = append(rows, r)
		}
	}
	now := hourRow{Until: "now", Today: rounded(last.spent()), Yesterday: unknown}
	if y := t.Yesterday; y != nil && y.ByNow != nil {
		now.Yesterday = amount(*y.ByNow)
	}
	return append(rows, now)
}

// spentBy shows what was spent until a minute of the day, by the last point before it.
func spentBy(points []point, minute float64) string {
	text := unknown
	for _, p := range points {
		if p.at > minute {
			break
		}
		text = rounded(p.spent())
	}
	return text
}
