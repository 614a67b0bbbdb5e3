package redisstore

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/neuronward/neuronward/quota"
)

// History implements quota.Store. Each day is one step with a deadline of its
// own: the records of a day are of one moment.
func (s *Store) History(ctx context.Context, from, to quota.Day) ([]quota.Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	days, err := s.read(ctx, func(ctx context.Context) ([]string, error) {
		return s.ask(ctx, s.days, []string{s.prefix + "days"}, int64(from), int64(to))
	})
	if err != nil {
		return nil, err
	}
	var all []quota.Record
	for _, text := range days {
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			s.doubt(s.prefix+"days", text, "")
			continue
		}
		day := quota.Day(n)
		pairs, err := s.read(ctx, func(ctx context.Context) ([]string, error) {
			prefix := s.prefix + day.String()
			return s.ask(ctx, s.history, []string{prefix + ":history", prefix + ":silent", prefix + ":learned"})
		})
		if err != nil {
			return nil, err
		}
		all = append(all, s.parseRecords(day, pairs)...)
	}
	slices.SortFunc(all, quota.CompareRecords)
	return all, nil
}

// Committed implements quota.Store. All days are one step.
func (s *Store) Committed(ctx context.Context, from, to quota.Day) (map[quota.Budget]quota.Neurons, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var keys []string
	for day := max(from, to-quota.KeepDays); day <= to; day++ {
		prefix := s.prefix + day.String()
		keys = append(keys, prefix+":sums", prefix+":external", prefix+":history")
	}
	pairs, err := s.read(ctx, func(ctx context.Context) ([]string, error) {
		return s.ask(ctx, s.committed, keys, separator)
	})
	if err != nil {
		return nil, err
	}
	sum := map[quota.Budget]quota.Neurons{}
	for pair := range slices.Chunk(pairs, 2) {
		n, err := figures(strings.Join(pair[1:], ""), 1)
		if err != nil {
			return nil, fmt.Errorf("redisstore: %w", err)
		}
		sum[quota.Budget(pair[0])] = n[0]
	}
	return sum, nil
}

// Hours implements quota.Store.
func (s *Store) Hours(ctx context.Context, day quota.Day) (hours quota.Hours, err error) {
	if err := ctx.Err(); err != nil {
		return hours, err
	}
	pairs, err := s.read(ctx, func(ctx context.Context) ([]string, error) {
		return s.ask(ctx, s.history, []string{s.prefix + day.String() + ":hours"})
	})
	if err != nil {
		return hours, err
	}
	for pair := range slices.Chunk(pairs, 2) {
		spent, err := figures(strings.Join(pair, " "), 2)
		if err != nil || spent[0] < 0 || int(spent[0]) >= len(hours) {
			s.doubt(s.prefix+day.String()+":hours", pair[0], strings.Join(pair[1:], ""))
			continue
		}
		hours[spent[0]] = spent[1]
	}
	return hours, nil
}

func (s *Store) read(ctx context.Context, step func(context.Context) ([]string, error)) ([]string, error) {
	ctx, cancel, limit := s.withTimeout(ctx)
	defer cancel()
	answer, err := step(ctx)
	return answer, s.failed(err, limit)
}

// parseRecords reads the fields of a day's hashes and their values: first each
// record, then further figures of some, whose names have one separator appended, or
// two. What cannot be is told and left out.
func (s *Store) parseRecords(day quota.Day, pairs []string) (records []quota.Record) {
	at, key := map[string]int{}, s.prefix+day.String()
	for pair := range slices.Chunk(pairs, 2) {
		if len(pair) != 2 {
			break
		}
		if name, ok := strings.CutSuffix(pair[0], separator+separator); ok && strings.Contains(name, separator) {
			if n, err := figures(pair[1], 5); err != nil {
				s.doubt(key+":learned", name, pair[1])
			} else if i, ok := at[name]; ok {
				c := &records[i].Calibration
				c.Prompt, c.Output = quota.Ratio(n[0]), quota.Ratio(n[1])
				c.ByDefault, c.Undocumented, c.UndocumentedCalls = int64(n[2]), int64(n[3]), int64(n[4])
			}
			continue
		}
		if name, more := strings.CutSuffix(pair[0], separator); more && strings.Contains(name, separator) {
			n, err := figures(pair[1], 3)
			if err != nil {
				s.doubt(key+":silent", name, pair[1])
			} else if i, ok := at[name]; ok {
				records[i].Silent, records[i].Table, records[i].Paid = int64(n[0]), n[1], quota.Ratio(n[2])
			}
			continue
		}
		record, err := parseRecord(day, pair[0], pair[1])
		if err != nil {
			s.doubt(key+":history", pair[0], pair[1])
			continue
		}
		at[pair[0]] = len(records)
		records = append(records, record)
	}
	return records
}

// parseRecord reads a record. Former versions kept four figures, and later ones
// may keep more than six.
func parseRecord(day quota.Day, name, text string) (quota.Record, error) {
	model, client, _ := strings.Cut(name, separator)
	words := strings.Fields(text)
	if len(words) == 4 {
		words = append(words, "0", "0")
	}
	n, err := figures(strings.Join(words[:min(len(words), 6)], " "), 6)
	if err != nil {
		return quota.Record{}, err
	}
	return quota.Record{
		Day: day, Model: model, Client: client, Calls: int64(n[0]), Reported: n[1], Priced: n[2], Estimated: n[3],
		Calibration: quota.Calibration{Peak: quota.Ratio(n[4])},
	}, nil
}
