package status

import (
	"encoding/csv"
	"io"
	"slices"
	"strconv"

	"github.com/neuronward/neuronward/cmd/neuronward/bill"
	"github.com/neuronward/neuronward/quota"
)

// Counted is what counts of the account's day as spent: through this proxy, outside it, and what processes held when
// they died.
func Counted(account quota.Status) quota.Neurons {
	return account.Used.Add(account.External).Add(account.Lost)
}

// A dayBill shares the dollars of a day among those who spent its neurons.
type dayBill struct {
	price bill.Price
	whole quota.Neurons
}

// newDayBill returns that of a day of which so many neurons count. Its records may be newer than that figure.
func newDayBill(price bill.Price, counted quota.Neurons, records []quota.Record) dayBill {
	sum := quota.Neurons(0)
	for _, r := range records {
		sum = sum.Add(r.Neurons())
	}
	return dayBill{price, max(counted, sum)}
}

// of is what a part of the day's neurons costs.
func (b dayBill) of(part quota.Neurons) bill.Dollars {
	return b.price.Dollars(bill.Share(part, b.whole))
}

// beyondName is the model of the row of CSV that has what was spent beyond the calls of this proxy.
const beyondName = "beyond this proxy"

// WriteCSV writes a row for each day, model and client, the oldest day first, and one for what each day cost beyond
// that. The dollars of all rows together are those of the account.
func (h History) WriteCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	row := func(day quota.Day, model, client string, calls int64, n quota.Neurons, usd bill.Dollars) {
		text, _ := Neurons(n).MarshalJSON() // never fails
		out.Write([]string{                 //nolint:errcheck // Error tells
			day.String(), model, client, strconv.FormatInt(calls, 10), string(text),
			strconv.FormatFloat(float64(usd), 'f', -1, 64),
		})
	}
	out.Write([]string{"day", "model", "client", "calls", "neurons", "usd"}) //nolint:errcheck // Error tells
	for _, d := range slices.Backward(h.Days) {
		for _, r := range d.records {
			row(d.Day, r.Model, r.Client, r.Calls, r.Neurons(), d.bill.of(r.Neurons()))
		}
		if beyond := quota.Neurons(d.Beyond); beyond > 0 {
			row(d.Day, beyondName, "", 0, beyond, d.bill.of(beyond))
		}
	}
	out.Flush()
	return out.Error()
}
