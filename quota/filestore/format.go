package filestore

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
)

// The file is one line that names the format, its version, the length and the
// SHA-256 of what follows; then JSON.
const (
	magic      = "neuronward-quota"
	version    = 2
	minVersion = 1 // without external use
)

type file struct {
	Block  quota.Block          `json:"latch"`
	Leases map[string]time.Time `json:"leases,omitempty"`
	Days   []json.RawMessage    `json:"days"`
}

// fileDay is a memstore.SavedDay as the file has it.
type fileDay struct {
	Day      quota.Day                           `json:"day"`
	External quota.External                      `json:"external,omitzero"`
	Budgets  map[quota.Budget]memstore.BudgetSum `json:"pots"`
	Records  []quota.Record                      `json:"records,omitempty"`

	// Missing in files of versions without them. Those skip what they do not know.

	Hours   quota.Hours            `json:"hours,omitzero"`
	Price   quota.DayPrice         `json:"price,omitzero"`
	Batches map[string]quota.Batch `json:"batches,omitempty"`
}

// encode returns the file. Days that are in encoded are taken from there. Then
// encoded has all days of saved, and no others.
func encode(saved *memstore.Saved, encoded map[*memstore.SavedDay][]byte) ([]byte, error) {
	f := file{Block: saved.Block, Leases: saved.Leases, Days: []json.RawMessage{}}
	for _, d := range saved.Days {
		if encoded[d] == nil {
			day, err := json.Marshal(fileDay(*d))
			if err != nil {
				return nil, err
			}
			encoded[d] = day
		}
		f.Days = append(f.Days, encoded[d])
	}
	maps.DeleteFunc(encoded, func(d *memstore.SavedDay, _ []byte) bool { return !slices.Contains(saved.Days, d) })
	body, err := json.Marshal(f)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	head := fmt.Sprintf("%s %d %d sha256:%s\n", magic, version, len(body), hex.EncodeToString(sum[:]))
	return append([]byte(head), append(body, '\n')...), nil
}

// decode reads the file. It accepts nothing but what encode made.
func decode(data []byte) (*memstore.Saved, error) {
	head, body, _ := bytes.Cut(data, []byte("\n"))
	var name, sum string
	var v, length int
	n, _ := fmt.Sscanf(string(head), "%s %d %d sha256:%s", &name, &v, &length, &sum)
	if n < 2 || name != magic {
		return nil, errors.New("it is not a neuronward quota file, or its beginning is lost")
	}
	if n < 4 && v >= minVersion && v <= version {
		return nil, errors.New("it is torn: not even its first line is whole")
	}
	if v < minVersion || v > version {
		return nil, fmt.Errorf("it is of version %d, and this program reads versions %d to %d", v, minVersion, version)
	}
	if len(body) != length+1 {
		return nil, fmt.Errorf("it is torn: %d bytes of %d are there", max(len(body)-1, 0), length)
	}
	body = body[:length]
	if got := sha256.Sum256(body); hex.EncodeToString(got[:]) != sum {
		return nil, errors.New("its checksum does not match: it is damaged")
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	var f file
	if err := dec.Decode(&f); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("it goes on after its end")
	}
	saved := &memstore.Saved{Block: f.Block, Leases: f.Leases}
	for _, raw := range f.Days {
		var d fileDay
		if err := json.Unmarshal(raw, &d); err != nil {
			return nil, err
		}
		for i := range d.Records {
			d.Records[i].Day = d.Day
		}
		day := memstore.SavedDay(d)
		if err := checkDay(&day); err != nil {
			return nil, err
		}
		if n := len(saved.Days); n > 0 && saved.Days[n-1].Day >= day.Day {
			return nil, fmt.Errorf("%v does not follow %v", day.Day, saved.Days[n-1].Day)
		}
		saved.Days = append(saved.Days, &day)
	}
	return saved, nil
}
