package redisstore

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/neuronward/neuronward/quota"
)

// stepDays is how many days are read in one step: so many that a server far away is asked a few times for all that are
// kept, and so few that it stands still for no more than some milliseconds.
const stepDays = 16

// History implements quota.Store. The records of a day are of one moment.
func (s *Store) History(ctx context.Context, from, to quota.Day) ([]quota.Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	known, err := s.read(ctx, 1, func(ctx context.Context) ([]string, error) {
		return s.ask(ctx, s.days, []string{s.prefix + "days"}, int64(from), int64(to))
	})
	if err != nil {
		return nil, err
	}
	var days []quota.Day
	for _, text := range known {
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			s.doubt(s.prefix+"days", text, "")
			continue
		}
		days = append(days, quota.Day(n))
	}
	var all []quota.Record
	err = s.readDays(ctx, s.history, days, []string{":history", ":silent", ":learned"},
		func(day quota.Day, pairs []string) error {
			all = append(all, s.parseRecords(day, pairs)...)
			return nil
		})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, quota.CompareRecords)
	return all, nil
}

// Committed implements quota.Store.
func (s *Store) Committed(ctx context.Context, from, to quota.Day) (quota.ByDay, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var days []quota.Day
	for day := max(from, to-quota.KeepDays); day <= to; day++ {
		days = append(days, day)
	}
	all := quota.ByDay{}
	err := s.readDays(ctx, s.committed, days, []string{":sums", ":external", ":history"},
		func(day quota.Day, pairs []string) error {
			sum := map[quota.Budget]quota.Neurons{}
			for pair := range slices.Chunk(pairs, 2) {
				n, err := figures(strings.Join(pair[1:], ""), 1)
				if err != nil {
					return fmt.Errorf("redisstore: %w", err)
				}
				sum[quota.Budget(pair[0])] = n[0]
			}
			if len(sum) > 0 {
				all[day] = sum
			}
			return nil
		})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// readDays runs script, which answers for several days at once, on the keys of days, and hands the answer for each on.
func (s *Store) readDays(
	ctx context.Context, script *redis.Script, days []quota.Day, names []string,
	take func(day quota.Day, pairs []string) error,
) error {
	for some := range slices.Chunk(days, stepDays) {
		var keys []string
		for _, day := range some {
			for _, name := range names {
				keys = append(keys, s.prefix+day.String()+name)
			}
		}
		answer, err := s.read(ctx, len(some), func(ctx context.Context) ([]string, error) {
			return s.ask(ctx, script, keys, len(names), separator)
		})
		if err != nil {
			return err
		}
		for _, day := range some {
			n, err := strconv.Atoi(strings.Join(answer[:min(1, len(answer))], ""))
			if err != nil || n < 0 || n >= len(answer) {
				return fmt.Errorf("redisstore: %d values came back for %d days", len(answer), len(some))
			}
			if err := take(day, answer[1:n+1]); err != nil {
				return err
			}
			answer = answer[n+1:]
		}
	}
	return nil
}

// Hours implements quota.Store.
func (s *Store) Hours(ctx context.Context, day quota.Day) (hours quota.Hours, err error) {
	if err := ctx.Err(); err != nil {
		return hours, err
	}
	err = s.readDays(ctx, s.history, []quota.Day{day}, []string{":hours"}, func(_ quota.Day, pairs []string) error {
		for pair := range slices.Chunk(pairs, 2) {
			spent, err := figures(strings.Join(pair, " "), 2)
			if err != nil || spent[0] < 0 || int(spent[0]) >= len(hours) {
				s.doubt(s.prefix+day.String()+":hours", pair[0], strings.Join(pair[1:], ""))
				continue
			}
			hours[spent[0]] = spent[1]
		}
		return nil
	})
	return hours, err
}

// read runs a step that reads, of so many days.
func (s *Store) read(ctx context.Context, days int, step func(context.Context) ([]string, error)) ([]string, error) {
	ctx, cancel, limit := s.withTimeoutOf(ctx, days)
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
