// Owns what the checkout accepts in a field and how it groups digits. Pure: text in, message out.

const filled: Record<string, string> = {
  person: 'Please tell us who it is for.',
  street: 'Please give the street and number.',
  postcode: 'Please give the postcode.',
  city: 'Please give the city.',
};

export const cardDigits = (text: string): string => text.replace(/\D/g, '').slice(0, 19);
export const groupCard = (digits: string): string => digits.replace(/(\d{4})(?=\d)/g, '$1 ');

export function groupExpiry(text: string): string {
  const digits = text.replace(/\D/g, '').slice(0, 4);
  return digits.length < 2 ? digits : `${digits.slice(0, 2)} / ${digits.slice(2)}`;
}

/** The Luhn check that catches a mistyped digit in a card number. */
function hasCheckDigit(digits: string): boolean {
  const sum = [...digits].reverse().reduce((total, digit, at) => {
    const value = Number(digit) * (at % 2 === 0 ? 1 : 2);
    return total + (value > 9 ? value - 9 : value);
  }, 0);
  return sum % 10 === 0;
}

function isExpired(digits: string, now: Date): boolean {
  const month = Number(digits.slice(0, 2));
  // A card is good to the end of its month.
  return new Date(2000 + Number(digits.slice(2)), month, 1) <= now;
}

/** What is wrong with the text of a field, in a sentence; empty when nothing is. */
export function problemOf(name: string, text: string, now: Date): string {
  const value = text.trim();
  switch (name) {
    case 'email':
      return /^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(value) ? '' : 'Please give an e-mail address, such as name@example.com.';
    case 'card': {
      const digits = cardDigits(value);
      return digits.length >= 12 && hasCheckDigit(digits) ? '' : 'This is no card number. Please use 4242 4242 4242 4242.';
    }
    case 'expiry': {
      const digits = value.replace(/\D/g, '');
      const month = Number(digits.slice(0, 2));
      if (digits.length !== 4 || month < 1 || month > 12) return 'Please give month and year, such as 04 / 29.';
      return isExpired(digits, now) ? 'This date has passed.' : '';
    }
    case 'code':
      return /^\d{3,4}$/.test(value) ? '' : 'Three or four digits, please.';
    default:
      return value === '' ? (filled[name] ?? 'Please fill this in.') : '';
  }
}
