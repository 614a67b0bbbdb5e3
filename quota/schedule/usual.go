package schedule

import "time"

const (
	// Before a call of a model has ended, its calls are taken to take unknownLength and to cost unknownCost of what
	// they reserve.
	unknownLength = 15 * time.Second
	unknownCost   = 0.25

	// memory is over how many calls the averages go.
	memory = 16
)

// A Usual is what the last calls of a model were like. The zero value is that of a model of which none has ended.
type Usual struct {
	calls  int     // at most memory
	length float64 // in nanoseconds
	amount float64 // reserved
	cost   float64
}

// Observe takes up a call that has ended.
func (u *Usual) Observe(length time.Duration, amount, cost float64) {
	u.calls = min(u.calls+1, memory)
	part := 1 / float64(u.calls)
	u.length += (float64(max(length, 0)) - u.length) * part
	u.amount += (amount - u.amount) * part
	u.cost += (cost - u.cost) * part
}

// left returns how long a call of this age will still take: the rest of the usual length, but at least half of it,
// since the longer a call has taken the longer it is likely to take.
func (u *Usual) left(age time.Duration) time.Duration {
	length := unknownLength
	if u.calls > 0 {
		length = time.Duration(u.length)
	}
	return max(length-max(age, 0), length/2)
}

// returned returns which part of what a call has reserved comes back when it ends, from 0 to 1.
func (u *Usual) returned() float64 {
	if u.calls == 0 || u.amount <= 0 {
		return 1 - unknownCost
	}
	return 1 - min(u.cost/u.amount, 1)
}

// Usuals are those of all models. The zero value is not ready for use.
type Usuals map[string]*Usual

// Of returns that of a model, made if need be.
func (us Usuals) Of(model string) *Usual {
	u := us[model]
	if u == nil {
		u = &Usual{}
		us[model] = u
	}
	return u
}

// Amounts returns what calls usually reserve, of each model of which one has ended.
func Amounts[N ~int64](us Usuals) map[string]N {
	amounts := make(map[string]N, len(us))
	for model, u := range us {
		if u.calls > 0 {
			amounts[model] = N(u.amount)
		}
	}
	return amounts
}
