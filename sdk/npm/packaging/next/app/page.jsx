import { Recorder } from "./recorder";

export default function Page() {
  return (
    <>
      <Recorder />
      <button id="buy">Buy</button>
    </>
  );
}
